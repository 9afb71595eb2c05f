"""The import law: which room may import which. An arrow that is not listed is refused."""

import ast
from pathlib import Path

import pytest

import ue_bench

ROOT = Path(ue_bench.__file__).parent
OPEN = {"errors", "version"}  # importable from everywhere
STRATEGIES = {"python_file", "strategies", "allocator", "columns", "feature", "hashing"}
STUDIES = {"distributed", "runner", "study"}
LAW = {
    "__init__": {"layer", "run", "record", "config", "saved", "strategies"},
    "__main__": {"cli"},
    "version": set(),
    "errors": set(),
    "units": set(),
    "progress": set(),
    "environment": set(),
    "allocator": set(),
    "apportion": set(),
    "feature": set(),
    "folder": set(),
    "python_file": set(),
    "config": set(),
    "hashing": set(),
    "columns": {"feature", "hashing"},
    "layer": {"hashing"},
    "data": {"data", "config", "feature", "hashing", "progress", "scores"},
    "strategies": STRATEGIES,
    "scores": set(),
    "loss": {"scores"},
    "model": {"loss", "strategies"},
    "sparse_adam": {"allocator"},
    "train": {"model", "sparse_adam"},
    "measure": {"strategies", "model", "train"},
    "diagnose": {"strategies", "model"},
    "record": {"shapes"},
    "shapes": set(),
    "run": {
        "allocator",
        "config",
        "data",
        "diagnose",
        "environment",
        "feature",
        "loss",
        "measure",
        "model",
        "record",
        "strategies",
        "train",
    },
    "saved": {"columns", "config", "data", "environment", "feature", "hashing", "model", "run", "shapes", "strategies", "train"},
    "preload": {"run"},
    "workers": {"config", "record", "run", "strategies"},
    "study": {"config", "python_file"},
    "search": {"apportion", "config", "progress", "record", "run", "study"},
    "runner": {"config", "folder", "progress", "record", "run", "search", "study", "workers"},
    "distributed": {"config", "distributed", "folder", "progress", "record", "runner", "search", "study", "workers"},
    "advise": {"advise", "config", "data", "feature", "folder", "progress", "record", "report", "run", "strategies", "workers"},
    "check": {"config", "record", "report", "run", "strategies", "study"},
    "importance": set(),
    "report": {"apportion", "importance", "record", "report"},
    "testing": STRATEGIES,
    "options": {"config", "units"},
    "tables": {"config", "data"},
    "choices": {"config", "study"},
    "speed": {"allocator", "config", "data", "environment", "feature", "hashing", "measure", "model", "progress", "record", "run",
              "speed", "strategies", "train", "workers"},
    "cli": {"advise", "check", "choices", "cli", "config", "data", "options", "progress", "record", "report", "run", "saved",
            "speed", "strategies", "tables", "testing", "units"} | STUDIES,
    "studies": {"config", "data", "strategies", "studies", "study"},
}  # fmt: skip
LIBRARIES = {
    "optuna": {"distributed", "importance", "search"},  # and sqlalchemy: workers on several machines share their storage
    "sqlalchemy": {"distributed", "search"},
    "polars_hash": {"hashing", "speed"},
    "pyarrow": {"data"},
    "xxhash": {"hashing", "speed"},
    "torch": STRATEGIES
    | {
        "advise",
        "diagnose",
        "layer",
        "loss",
        "measure",
        "model",
        "preload",
        "run",
        "saved",
        "sparse_adam",
        "speed",
        "testing",
        "train",
    },
    "safetensors": {"saved"},
    "seaborn": {"report"},
    "matplotlib": {"report"},
    "jinja2": {"report"},
    "markdown_it": {"report"},
}


def files():
    for path in sorted(ROOT.rglob("*.py")):
        yield path.relative_to(ROOT).with_suffix("").parts[0], path
    for path in sorted((ROOT.parent / "studies").glob("*.py")):
        yield "studies", path


def imports(path):
    """Dotted names that a file imports, wherever in it."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: imports are absolute"
            yield from ([f"ue_bench.{alias.name}" for alias in node.names] if node.module == "ue_bench" else [node.module])


@pytest.mark.parametrize(("room", "path"), [pytest.param(*f, id=str(f[1].relative_to(ROOT.parent))) for f in files()])
def test_arrows_point_one_way(room, path):
    assert room in LAW, f"{path}: a new room needs a line in the law"
    for name in imports(path):
        top, *rest = name.split(".")
        if top == "ue_bench" and rest:
            assert rest[0] in LAW[room] | OPEN, f"{path} imports {name}, which {room} may not"
        elif top in LIBRARIES:
            assert room in LIBRARIES[top], f"{path} imports {top}, which {room} may not"


@pytest.mark.parametrize("room", ["train", "model", "run", "report"])
def test_no_strategy_is_named_where_all_are_equal(room):
    from ue_bench.strategies import STRATEGIES

    for owner, path in files():
        if owner != room:
            continue
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Constant) and isinstance(node.value, str):
                assert node.value not in STRATEGIES, f"{path}:{node.lineno} names the strategy {node.value}"


def test_hooks_are_declared_not_sniffed():
    for room, path in files():
        names = [node.func.id for node in ast.walk(ast.parse(path.read_text()))
                 if isinstance(node, ast.Call) and isinstance(node.func, ast.Name)]  # fmt: skip
        if room in ("train", "model", "run", "measure", "strategies"):
            assert "hasattr" not in names, path


def test_nothing_that_is_read_can_run():
    """No pickle, no evaluated text, no shell: a file from elsewhere is data. (A plug-in is code, and is named as such.)"""
    code = {"pickle", "marshal", "shelve", "dill", "joblib", "yaml"}
    for _, path in files():
        assert not {name.split(".")[0] for name in imports(path)} & code, path
        for call in (node for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, ast.Call)):
            name = ast.unparse(call.func)
            assert name not in {"eval", "exec", "compile", "os.system", "os.popen", "torch.load", "pd.read_pickle"}, (path, name)
            assert not [word for word in call.keywords if word.arg in ("shell", "allow_pickle")], (path, name)

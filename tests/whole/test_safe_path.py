"""No command runs code of the current folder: neither in its own process nor in those that it starts."""

import ast
import json
import os
import re
import shutil
import subprocess
import sys
import sysconfig
from importlib.metadata import packages_distributions, requires
from pathlib import Path

import movielens_files as official
import pytest

import ue_bench
from ue_bench import safe_path
from ue_bench.config import RunConfig
from ue_bench.record import load_runs
from ue_bench.training.run_once import run_once

PACKAGE = Path(ue_bench.__file__).parent
SCRIPT = Path(sys.executable).with_name("ue-bench")
STUDY = """
from ue_bench.config import RunConfig
from ue_bench.study import Grid, Study

ARM = RunConfig(budget=1000, epochs=1, patience=None)
STUDY = Study("what runs?", (Grid((ARM,), seeds=2),), latency=False)
"""
ASKED = RunConfig(budget=1000, epochs=1, patience=None, measure="quality")


def plain(requirement: str) -> str:
    return re.sub(r"[-_.]+", "-", re.match(r"[\w.-]+", requirement)[0]).lower()


def of_dependencies() -> set[str]:
    """The top-level modules of what the package declares, with its extras."""
    declared = {plain(requirement) for requirement in requires("ue-bench")}
    modules = set()
    for module, distributions in packages_distributions().items():
        if declared & {plain(name) for name in distributions}:
            modules.add(module)
    return {name for name in modules if name.isidentifier()}


def plant(folder: Path, names: set[str], marks: Path) -> None:
    """Write modules that leave a mark, and end the process, when they are imported."""
    for path in (folder, marks):
        path.mkdir(exist_ok=True)
    for name in names:
        mark = str(marks / name)
        text = f"open({mark!r}, 'w').close()\nraise SystemExit('{name} of the current folder')\n"
        (folder / f"{name}.py").write_text(text)


def start(folder: Path, *words: object) -> subprocess.Popen[str]:
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    return subprocess.Popen(
        [str(word) for word in words],
        cwd=folder,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def end(process: subprocess.Popen[str]) -> str:
    output, _ = process.communicate(timeout=300)
    assert process.returncode == 0, output
    return output


def scores(results: Path) -> dict[int, float]:
    records, skipped = load_runs(results, "what_runs")
    assert not skipped
    return {record.config.init_seed: record.quality["test_mse"] for record in records}


@pytest.fixture
def planted(tmp_path):
    """A folder of modules that leave marks, and the folder of these."""
    folder, marks = tmp_path / "folder", tmp_path / "marks"
    names = {"ue_bench", "sitecustomize", "usercustomize"} | of_dependencies()
    names |= set(sys.stdlib_module_names)
    assert {"torch", "polars_hash", "xxhash", "random", "multiprocessing", "pickle"} < names
    plant(folder, names, marks)
    return folder, marks


@pytest.mark.slow
def test_run_and_advise_run_nothing_of_the_current_folder(tmp_path, planted):
    folder, marks = planted
    options = ("--data-dir", official.write_folder(tmp_path, "ml-100k"), "--epochs", 1)
    options += ("--results", tmp_path / "results")
    run = start(folder, SCRIPT, "run", "--budget", 1000, "--measure", "quality", *options)
    advise = start(
        folder, SCRIPT, "advise", "ml-100k", "--memory", 4000, "--minutes", 0.5, *options
    )
    end(run)
    output, _ = advise.communicate(timeout=300)
    # On a busy machine the time may end before an answer, and after runs.
    assert advise.returncode in (0, 1) or "what was run is used" in output, output
    assert sorted(path.name for path in marks.iterdir()) == []
    assert load_runs(tmp_path / "results", "run")[0]
    assert [path for path in (tmp_path / "results").iterdir() if path.name != "run"]


@pytest.mark.slow
def test_nothing_that_lies_in_the_current_folder_runs(tmp_path, planted):
    folder, marks = planted
    (folder / "what_runs.py").write_text(STUDY)
    data = official.write_folder(tmp_path, "ml-100k")
    results = tmp_path / "results"
    options = ("--data-dir", data)
    study = start(
        folder, SCRIPT, "study", "what_runs.py", *options, "--results", results, "--workers", 2
    )
    end(study)
    assert sorted(path.name for path in marks.iterdir()) == []
    right = {}
    for seed in (0, 1):
        record = run_once(ASKED.with_seed(seed), data_dir=data)
        right[seed] = record.quality["test_mse"]
    assert scores(results) == right


@pytest.mark.slow
def test_a_checkout_in_the_current_folder_is_what_its_processes_run(tmp_path):
    """`python -m ue_bench` runs a checkout, and so do the processes of its runs, whatever is installed."""
    checkout = tmp_path / "checkout"
    shutil.copytree(PACKAGE, checkout / "ue_bench", ignore=shutil.ignore_patterns("__pycache__"))
    (checkout / "ue_bench/version.py").write_text('__version__ = "0.0.checkout"\n')
    (checkout / "what_runs.py").write_text(STUDY.replace("seeds=2", "seeds=1"))
    data = official.write_folder(tmp_path, "ml-100k")
    command = (sys.executable, "-m", "ue_bench", "study", "what_runs.py", "--json")
    done = end(start(checkout, *command, "--data-dir", data))
    (record,) = json.loads(done.splitlines()[-1])
    assert record["env"]["ue_bench"] == "0.0.checkout"


def test_python_m_takes_no_library_from_the_current_folder(tmp_path):
    """Python itself imports what `python -m` needs from there, before any code of the package runs."""
    plant(tmp_path / "folder", of_dependencies() | {"random", "tempfile"}, tmp_path / "marks")
    done = end(start(tmp_path / "folder", sys.executable, "-m", "ue_bench", "list", "datasets"))
    assert "ml-100k" in done
    assert list((tmp_path / "marks").iterdir()) == []


def test_children_keep_the_path_of_the_user(monkeypatch):
    monkeypatch.setenv("PYTHONPATH", "/of/the/user")
    monkeypatch.delenv("PYTHONSAFEPATH", raising=False)
    library = sysconfig.get_path("stdlib")
    monkeypatch.setattr(sys, "path", [str(SCRIPT.parent), library, str(PACKAGE.parent)])
    assert safe_path.environment()["PYTHONPATH"] == "/of/the/user"
    monkeypatch.setattr(sys, "path", [str(PACKAGE.parent), *sys.path])
    assert safe_path.environment()["PYTHONPATH"] == f"{PACKAGE.parent}{os.pathsep}/of/the/user"
    with safe_path.for_children():
        assert os.environ["PYTHONSAFEPATH"] == "1"
    assert os.environ["PYTHONPATH"] == "/of/the/user"
    assert "PYTHONSAFEPATH" not in os.environ


def test_python_that_would_not_read_the_environment_is_refused():
    code = "from ue_bench.safe_path import for_children\nwith for_children(): pass"
    for flags, fails in (("-E", True), ("-EP", False), ("-I", False)):
        done = subprocess.run([sys.executable, flags, "-c", code], capture_output=True, text=True)
        assert (done.returncode != 0) == fails, (flags, done.stderr)
        assert ("start it with -I or with -P as well" in done.stderr) == fails


def test_python_processes_are_started_in_the_known_ways_alone():
    """`multiprocessing` by the one file that makes its path safe; `sys.executable` with a safe path.

    To ask whether there is a parent process starts none.
    """
    starts = set()
    for path in PACKAGE.rglob("*.py"):
        text = path.read_text()
        for node in ast.walk(ast.parse(text)):
            if isinstance(node, ast.Import):
                modules = [alias.name for alias in node.names]
            elif isinstance(node, ast.ImportFrom):
                modules = [node.module, *(alias.name for alias in node.names)]
            else:
                continue
            if modules == ["multiprocessing", "parent_process"]:
                continue
            if {"multiprocessing", "ProcessPoolExecutor"} & {
                name.split(".")[0] for name in modules
            }:
                starts.add(str(path.relative_to(PACKAGE)))
        if "sys.executable" in text:
            assert "safe_path.environment()" in text or '"-P"' in text, path
    assert starts == {"study/processes.py"}

"""What an added strategy returns wrongly, and what goes wrong as it is built, is one line."""

import copy
import sys
from importlib.metadata import EntryPoint

import pytest
import torch
from click.testing import CliRunner

from ue_bench import plugins
from ue_bench.cli import main
from ue_bench.config import RunConfig
from ue_bench.errors import BenchError
from ue_bench.features import Feature
from ue_bench.record import load_runs
from ue_bench.strategies import Entry, Spec, build, load_plugin
from ue_bench.strategies.registry import GROUP
from ue_bench.study import Grid, Study
from ue_bench.study.local_executor import LocalExecutor
from ue_bench.study.plan import Plan

pytestmark = pytest.mark.usefixtures("list_is_put_back")

FILE = """
import torch
from ue_bench.strategies import Entry
from ue_bench.strategies.methods.hashing_trick import HashingTrick

class Mine(HashingTrick):
    {}

STRATEGIES = {{"mine": Entry(Mine, ("multiplexed",), "s", "x")}}
"""
EMBED = "def embed(self, slots): return {}"
LOCATE = "def locate(self, feature, values): return {}"
BUILD = "def __init__(self, spec): {}"
RETURNED = "mine (Mine): embed returned "
LOCATED = "mine (Mine): locate returned "
BUILT = "mine: it cannot be built: mine.py, line 7, in __init__: "
WRONG = {  # the body of the class, and how its line begins
    "no vectors": (EMBED.format("None"), f"{RETURNED}None for slots of "),
    "a list": (EMBED.format("super().embed(slots).tolist()"), f"{RETURNED}a value of type list"),
    "numpy": (
        EMBED.format("super().embed(slots).detach().numpy()"),
        f"{RETURNED}a value of type ndarray",
    ),
    "double": (EMBED.format("super().embed(slots).double()"), f"{RETURNED}a tensor of float64 and"),
    "whole": (EMBED.format("super().embed(slots).long()"), f"{RETURNED}a tensor of int64 and"),
    "narrow": (EMBED.format("super().embed(slots)[:, :3]"), f"{RETURNED}a tensor of float32 and"),
    "one row": (EMBED.format("super().embed(slots)[:1]"), f"{RETURNED}a tensor of float32 and sh"),
    "a third axis": (
        EMBED.format("super().embed(slots)[None]"),
        f"{RETURNED}a tensor of float32 and shape [1, ",
    ),
    "no slots": (LOCATE.format("None"), f"{LOCATED}None for 0 values of feature user_id; it must"),
    "listed slots": (
        LOCATE.format("super().locate(feature, values).tolist()"),
        f"{LOCATED}a value of type list for",
    ),
    "flat slots": (
        LOCATE.format("super().locate(feature, values)[:, 0]"),
        f"{LOCATED}a tensor of int64 and shape [0] for",
    ),
    "too few slots": (
        LOCATE.format("super().locate(feature, values)[:-1]"),
        f"{LOCATED}a tensor of int64 and shape [",
    ),
    "slots of another number": (
        LOCATE.format("super().locate(feature, values)[:, :max(1, 2 - len(values))]"),
        f"{LOCATED}1 slots a value for ",
    ),
    "float slots": (
        LOCATE.format("super().locate(feature, values).float()"),
        f"{LOCATED}a tensor of float32 and shape [",
    ),
    "negative slots": (
        LOCATE.format("-1 - super().locate(feature, values)"),
        f"{LOCATED}slot -",
    ),
    "no constructor": (BUILD.format("pass"), "mine (Mine): __init__ leaves out that of"),
    "a constructor that raises": (BUILD.format("{}[5]"), f"{BUILT}KeyError: 5; mend the file"),
    "a bug in a call": (
        BUILD.format("super().__init__(spec, 5)"),
        f"{BUILT}TypeError: ",
    ),
    "a bug without a frame": (
        "def __new__(cls): pass",
        "mine: it cannot be built: mine.py: TypeError: ",
    ),
    "odd vocabularies": (
        BUILD.format("super().__init__(spec); self.vocabularies = [5]"),
        "mine: it cannot be built: mine.py: AttributeError: 'int' object has no attribute",
    ),
    "no widths": (
        BUILD.format("super().__init__(spec); self.widths = None"),
        "mine (Mine): widths is None; it must be a tuple with the numbers of each of the ",
    ),
    "widths of other features": (
        BUILD.format("super().__init__(spec); self.widths = (4,) * 9"),
        "mine (Mine): widths is (4, 4, 4, 4, 4, 4, 4, 4, 4); it must be",
    ),
    "too little is taken": (
        "def embed(self): pass",
        "mine (Mine): embed takes (); it must take (slots)",
    ),
    "too much is taken": (
        "def locate(self, feature, values, more): pass",
        "mine (Mine): locate takes (feature, values, more); it must take (feature, values)",
    ),
    "another hook": (
        "def end_epoch(self): pass",
        "mine (Mine): end_epoch takes (); it must take (epoch)",
    ),
    "what is final": (
        "def footprint(self): return None",
        "plugin {}: mine: Mine overrides footprint, which is the package's own; take it out",
    ),
}
RIGHT = {
    "floats of no values": LOCATE.format(
        "super().locate(feature, values) if len(values) else torch.tensor([]).reshape(0, 2)"
    ),
    "more is taken": "def embed(self, *rows, **more): return super().embed(*rows)",
    "a default": "def end_epoch(self, epoch, more=1): return False",
    "a static method": "@staticmethod\n    def check_served(): pass",
    "a list of widths": BUILD.format("super().__init__(spec); self.widths = list(self.widths)"),
}


def written(folder, body, name="mine"):
    path = folder / f"{name}.py"
    path.write_text(FILE.format(body).replace('"mine"', f'"{name}"'))
    return path


def trained(path, folder, *words):
    line = ["run", "--plugin", path, "--strategy", "mine", "--dataset", "planted-one-feature"]
    line += ["--budget", "4096", "--lookups", "2", "--epochs", "1", "--measure", "quality"]
    line += ["--results", folder / "results", *words]
    return CliRunner().invoke(main, [str(word) for word in line])


@pytest.mark.parametrize("what", WRONG)
def test_a_run_is_one_line(what, tmp_path):
    body, begins = WRONG[what]
    path = written(tmp_path, body)
    done = trained(path, tmp_path)
    assert done.exit_code == 2, done.output
    assert done.stderr.splitlines()[-1].startswith(f"Error: {begins.format(path)}"), done.stderr
    assert not list(tmp_path.rglob("*.json"))


@pytest.mark.parametrize("what", RIGHT)
def test_what_can_be_called_runs(what, tmp_path):
    done = trained(written(tmp_path, RIGHT[what]), tmp_path)
    assert done.exit_code == 0, done.output


@pytest.mark.parametrize("what", ["one row", "negative slots", "no constructor"])
def test_it_is_one_line_beside_exact_rows_too(what, tmp_path):
    body, begins = WRONG[what]
    words = ["--low-cardinality", "exact", "--low-cardinality-max", "3"]
    words += ["--dataset", "planted-small", "--features", "wide"]
    done = trained(written(tmp_path, body), tmp_path, *words)
    assert done.exit_code == 2, done.output
    assert done.stderr.splitlines()[-1].startswith(f"Error: {begins}")


@pytest.mark.parametrize("what", ["one row", "negative slots", "too little is taken"])
def test_the_check_says_it_once(what, tmp_path):
    body, begins = WRONG[what]
    done = CliRunner().invoke(main, ["check-strategy", str(written(tmp_path, body))])
    assert done.exit_code == 1
    told = [line for line in done.stdout.splitlines() if begins in line]
    assert len(told) == 1
    assert told[0].startswith(f"  {begins}")


def test_each_is_a_failed_run_and_the_study_goes_on(tmp_path):
    paths = []
    for number, what in enumerate(("one row", "float slots", "a constructor that raises")):
        paths.append(written(tmp_path, WRONG[what][0], f"mine{number}"))
    paths.append(written(tmp_path, "pass", "right"))
    arms = []
    for path in paths:
        load_plugin(path)
        terms = {"budget": 4_096, "lookups": 2, "epochs": 1, "measure": "quality"}
        arms.append(RunConfig("planted-one-feature", strategy=path.stem, **terms))
    declared = Study("?", (Grid(tuple(arms), seeds=1),), latency=False)
    results = tmp_path / "results"
    executor = LocalExecutor(Plan("any", declared), results, workers=2, plugins=paths)
    assert [record.config.strategy for record in executor.run()] == ["right"]
    causes = {}
    for record in load_runs(results, "any")[0]:
        causes[record.config.strategy] = record.cause
    assert causes == {"mine0": "input", "mine1": "input", "mine2": "input", "right": None}


def built(path, **changes):
    load_plugin(path)
    features = (Feature("user", [f"u{i}" for i in range(60)], 50, range(50, 0, -1)),)
    spec = Spec(name="mine", features=features, lookups=(2,), dim=4, budget=400, **changes)
    return build(spec)


def test_a_layer_that_a_program_converts_gives_what_it_was_converted_to(tmp_path):
    layer = built(written(tmp_path, "pass")).double()
    assert layer(torch.tensor([[3], [4]])).dtype == torch.float64
    assert layer.from_values([["u3", "?"]]).shape == (2, 8)
    with torch.autocast("cpu", torch.bfloat16):
        half = built(written(tmp_path, EMBED.format("super().embed(slots).bfloat16()")))
        assert half(torch.tensor([[3]])).dtype == torch.bfloat16
    with pytest.raises(BenchError, match="a tensor of bfloat16 and shape"):
        half(torch.tensor([[3]]))


def test_raw_values_and_copies_are_checked_too(tmp_path):
    layer = built(written(tmp_path, LOCATE.format("super().locate(feature, values) - 99")))
    for one in (layer, copy.deepcopy(layer)):
        with pytest.raises(BenchError, match=r"mine .Mine.: locate returned slot -"):
            one.from_values([["u3"]])
        with pytest.raises(BenchError, match=r"mine .Mine.: locate returned slot -"):
            one.locate_as_unseen(0, ["u3"])
    layer = built(written(tmp_path, EMBED.format("super().embed(slots)[:1]")))
    with pytest.raises(BenchError, match=r"mine .Mine.: embed returned .* for slots of 2 rows"):
        layer.from_values([["u3", "u4"]])


def test_slots_that_each_batch_finds_are_checked(tmp_path):
    body = LOCATE.format("super().locate(feature, values).float()")
    layer = built(written(tmp_path, body), keep_slots=False)
    with pytest.raises(BenchError, match="locate returned a tensor of float32"):
        layer(torch.tensor([[3]]))


def test_too_little_memory_is_no_fault_of_the_file(tmp_path):
    body = BUILD.format("super().__init__(spec); torch.empty(2**62)")
    with pytest.raises(MemoryError):
        built(written(tmp_path, body))


def test_the_file_of_an_installed_package_is_named(tmp_path, monkeypatch):
    path = written(tmp_path, BUILD.format("{}[5]"), "their_module")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setattr(plugins, "entry_points", lambda group: [point] if group == GROUP else [])
    point = EntryPoint("mine", "their_module:ENTRY", GROUP)
    entry = Entry("their_module:Mine", ("multiplexed",), "s", "x")
    monkeypatch.setattr(EntryPoint, "load", lambda self: entry)
    features = (Feature("user", ["a", "b"], 2, (2, 1)),)
    with pytest.raises(BenchError, match=f"built: {path.name}, line 7, in __init__: KeyError: 5"):
        build(Spec(name="mine", features=features, lookups=(2,), dim=4, budget=400))
    sys.modules.pop("their_module")


def test_the_strategies_of_the_package_are_not_checked():
    features = (Feature("user", ["a", "b"], 2, (2, 1)),)
    layer = build(Spec(name="unified", features=features, lookups=(2,), dim=4, budget=64))
    assert not layer.is_added

"""Strategies of a file and of an installed package, and the check of a strategy."""

import json
import re
import subprocess
import sys
from importlib.metadata import EntryPoint
from pathlib import Path

import movielens_files as official
import pytest
from click.testing import CliRunner

from ue_bench import plugins, strategies
from ue_bench.cli import main
from ue_bench.errors import BenchError
from ue_bench.strategies.registry import GROUP
from ue_bench.testing import CheckedForm, cause_lines
from ue_bench.testing.causes import Fault

pytestmark = pytest.mark.usefixtures("list_is_put_back")

GOOD = """
from ue_bench.hashing import hash_rows
from ue_bench.strategies import BOTH, EmbeddingStrategy, Entry, Pool
from ue_bench.strategies.regions import regions

class Mine(EmbeddingStrategy):
    def __init__(self, spec):
        super().__init__(spec)
        self.regions = regions(spec, slot_numbers=spec.dim)
        self.pool = Pool(self.regions[-1].end, spec)

    def locate(self, feature, values):
        region = self.regions[feature]
        return hash_rows(values, self.spec.seeds(feature), region.size) + region.start

    def embed(self, slots):
        return self.pool(slots).flatten(1)

STRATEGIES = {"mine": Entry(Mine, BOTH, "one hashed table", "a test")}
"""
BREAKS = {  # what is changed, and words that the check says of it
    "shape": ("flatten(1)\n", "flatten(1)[:, 1:]\n", "must return a tensor of float32 and shape"),
    "rows": (
        "self.pool(slots).flatten(1)",
        "self.pool(slots).flatten(1) + slots.float().mean()",
        "rows of its batch",
    ),
    "bytes": ("Pool(self.regions[-1].end,", "Pool(2 * self.regions[-1].end,", "budget"),
    "determinism": (
        "self.spec.seeds(feature)",
        "[id(object()) % 2**31 for _ in self.spec.seeds(feature)]",
        "slots differ",
    ),
    "save": (
        "self.pool = Pool",
        "import torch; self.extra = torch.randn(1); self.pool = Pool",
        "state_dict carries",
    ),
    "state": (
        "return self.pool(slots).flatten(1)",
        "self.n = getattr(self, 'n', 0) + self.training; return self.pool(slots).flatten(1) + self.n",
        "a strategy that is built anew and loads that of the trained one gives the same vectors",
    ),
    "exit": (
        "return self.pool",
        "raise SystemExit(0); return self.pool",
        "in embed: SystemExit: 0",
    ),
}
CRASH = GOOD.replace("return self.pool", "return self.pol")
CAUSE = "mine.py, line 17, in embed: AttributeError: 'Mine' object has no attribute 'pol'"


@pytest.fixture
def plugin(tmp_path):
    path = tmp_path / "mine.py"
    path.write_text(GOOD)
    return path


def run(*words):
    return CliRunner().invoke(main, [str(word) for word in words])


def test_a_good_file_passes_in_both_forms(plugin):
    done = run("check-strategy", plugin)
    assert done.exit_code == 0, done.output
    passed = re.findall(r"^mine, (\w+): (\d+) of (\d+) tests pass$", done.stdout, re.MULTILINE)
    assert [form for form, *_ in passed] == ["multiplexed", "separate"]
    assert all(n == of and int(n) > 10 for _, n, of in passed)


@pytest.mark.parametrize("what", BREAKS)
def test_a_broken_one_is_told_what_is_wrong(plugin, what):
    good, bad, said = BREAKS[what]
    assert good in GOOD
    text = GOOD.replace(good, bad)
    if what == "save":
        text = text.replace(
            "return self.pool(slots).flatten(1)", "return self.pool(slots).flatten(1) + self.extra"
        )
    plugin.write_text(text)
    done = run("check-strategy", plugin)
    assert done.exit_code == 1
    assert said in done.stdout
    assert "Traceback" not in done.output


@pytest.mark.parametrize(
    ("text", "how"),
    [
        ("import os; os._exit(0)", "exit code 0"),
        (GOOD.replace("return self.pool", "import os; os._exit(0)"), "exit code 0"),
        ("import os; os.kill(os.getpid(), 9)", "SIGKILL (out of memory?)"),
    ],
    ids=["loaded", "embed", "killed"],
)
def test_a_file_that_ends_the_process_does_not_pass(plugin, text, how):
    plugin.write_text(text)
    done = run("check-strategy", plugin)
    assert done.exit_code == 2
    told = f"{plugin}: the file ended the process ({how}); take out what does so, such as os._exit"
    assert done.stderr == f"Error: {told}\n"
    assert done.stdout == ""


def test_a_file_may_close_standard_output_and_the_check_is_printed(plugin):
    plugin.write_text(f"import os, sys; os.close(1); sys.stdout = None\n{GOOD}")
    done = run("check-strategy", plugin)
    assert done.exit_code == 0
    assert len(done.stdout.splitlines()) == 2


def test_a_bug_of_this_package_ends_a_check_with_its_traceback(plugin, monkeypatch):
    monkeypatch.setattr("ue_bench.testing.check_forms", lambda name, path: 1 / 0)
    done = run("check-strategy", plugin)
    assert isinstance(done.exception, RuntimeError)


def test_one_cause_is_one_line_with_its_place(plugin):
    plugin.write_text(CRASH)
    done = run("check-strategy", plugin)
    first, second, *told = done.stdout.splitlines()
    assert first.startswith("mine, multiplexed: ")
    assert second.startswith("mine, separate: ")
    assert re.fullmatch(rf"  {re.escape(CAUSE)} \(in \d\d tests, both forms\)", told[0])
    assert len(told) == 1


def test_a_cause_of_one_test_or_form_names_it():
    def form(regions, **faults):
        return CheckedForm(regions, 9, {f"test_{name}": fault for name, fault in faults.items()})

    odd = Fault("it is odd", "odd")
    late = Fault("it is late", "late")
    forms = [form("a", no_time=late, b=odd, c=odd), form("b", no_time=late, b=odd)]
    assert cause_lines(forms) == [
        "no time: it is late (both forms)",
        "it is odd (in 2 tests, both forms)",
    ]
    assert cause_lines([form("a", no_time=late), form("b")]) == ["no time: it is late (a)"]
    assert cause_lines([form("a", no_time=late)]) == ["no time: it is late"]


def trained(plugin, folder, *words):
    data = official.write_folder(folder / "data", "ml-100k")
    line = ["run", "--plugin", plugin, "--strategy", "mine", "--budget", "1000", "--epochs", "1"]
    line += ["--measure", "quality", "--data-dir", data, "--results", folder / "results"]
    return run(*line, *words)


def test_a_run_of_code_that_raises_is_one_line(plugin, tmp_path):
    plugin.write_text(CRASH)
    done = trained(plugin, tmp_path)
    assert done.exit_code == 2
    assert [line for line in done.stderr.splitlines() if "mine" in line] == [
        f"Error: {CAUSE}; mend the file"
    ]
    plugin.write_text("\n1 / 0\n")
    done = run("list", "strategies", "--plugin", plugin)
    assert done.exit_code == 2
    told = "mine.py, line 2, in <module>: ZeroDivisionError: division by zero; mend the file"
    assert done.stderr == f"Error: {told}\n"


def test_a_bug_of_this_package_keeps_its_traceback(plugin, tmp_path, monkeypatch):
    monkeypatch.setattr("ue_bench.training.run_once.sizes", lambda model: 1 / 0)
    done = trained(plugin, tmp_path)
    assert isinstance(done.exception, ZeroDivisionError)


def test_a_run_of_what_cannot_be_built_again_has_no_record(plugin, tmp_path):
    plugin.write_text(GOOD.replace(*BREAKS["state"][:2]))
    done = trained(plugin, tmp_path)
    assert done.exit_code == 2
    assert "it must keep what it learns in parameters and persistent buffers" in done.stderr
    assert not list((tmp_path / "results").rglob("*.json"))


def test_a_plugin_is_trained_and_listed(plugin, tmp_path):
    data = official.write_folder(tmp_path / "data", "ml-100k")
    done = run(
        "run",
        "--plugin",
        plugin,
        "--strategy",
        "mine",
        "--regions",
        "separate",
        "--budget",
        "1000",
        "--epochs",
        "1",
        "--data-dir",
        data,
        "--results",
        tmp_path / "results",
        "--json",
    )
    assert done.exit_code == 0, done.output
    assert json.loads(done.stdout)["config"]["strategy"] == "mine"
    listed = run("list", "strategies", "--plugin", plugin, "--json")
    assert "mine" in [row["name"] for row in json.loads(listed.stdout)]


LOUD = """
import os
def tell(what):
    print("a print", what)
    os.write(1, f"a line {what}\\n".encode())
tell("when it is loaded")
"""
STUDY = """
from ue_bench.config import RunConfig
from ue_bench.study import Grid, Study
ARM = RunConfig(strategy="mine", budget=1000, epochs=1, features="user_id,movie_id")
STUDY = Study("is it quiet?", (Grid((ARM,), seeds=1),), latency=False)
"""


@pytest.mark.parametrize(
    "command", ["run", *(pytest.param(name, marks=pytest.mark.slow) for name in ("study", "list"))]
)
def test_json_stands_alone_whatever_a_plugin_prints(plugin, tmp_path, command):
    loud = "return self.pool(slots)"
    assert loud in GOOD
    plugin.write_text(LOUD + GOOD.replace(loud, f"tell('in a run'); {loud}"))
    study = tmp_path / "quiet.py"
    study.write_text(STUDY)
    data = official.write_folder(tmp_path / "data", "ml-100k")
    words = {
        "run": ["run", "--strategy", "mine", "--budget", "1000", "--epochs", "1"],
        "study": ["study", study],
        "list": ["list", "strategies"],
    }[command]
    if command != "list":
        words += ["--data-dir", data, "--results", tmp_path / "results"]
    line = [sys.executable, "-m", "ue_bench", *words, "--plugin", plugin, "--json"]
    done = subprocess.run([str(word) for word in line], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    json.loads(done.stdout)
    told = {"when it is loaded"} | ({"in a run"} if command != "list" else set())
    for what in told:
        assert f"a print {what}\n" in done.stderr
        assert f"a line {what}\n" in done.stderr


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (None, "is no Python file"),
        ("x = 1", "has no strategies"),
        ("STRATEGIES = {'a': 3}", "must be an ue_bench.strategies"),
        (GOOD.replace('"mine"', '"unified"'), "'unified' is taken"),
        (GOOD.replace('"mine"', "7"), "a strategy is named 7"),
        (GOOD.replace('"mine"', '"\\x1b[31m"'), "visible characters"),
        ("x = (", "is no Python ('(' was never closed"),
        ("x = '\0'", "is no Python (source code"),
        ("raise SystemExit(0)", "ends the program when it is loaded"),
    ],
)
def test_a_file_without_strategies_is_one_line(tmp_path, text, said):
    path = tmp_path / "other.py"
    if text is not None:
        path.write_text(text)
    done = run("check-strategy", path)
    assert done.exit_code == 2
    assert said in done.stderr
    assert len(done.stderr.splitlines()) == 1


def test_an_installed_package_offers_a_strategy(plugin, monkeypatch):
    entry = strategies.load_plugin(plugin)["mine"]
    point = EntryPoint("theirs", "package.module:ENTRY", GROUP)
    monkeypatch.setattr(plugins, "entry_points", lambda group: [point] if group == GROUP else [])
    monkeypatch.setattr(EntryPoint, "load", lambda self: entry)
    assert strategies.entry_of("theirs") is entry
    assert "theirs" in strategies.all_strategies()
    with pytest.raises(BenchError, match="unknown strategy 'theris'"):
        strategies.entry_of("theris")


def test_the_group_is_the_one_that_is_documented():
    assert f"`{GROUP}`" in (Path(__file__).parents[2] / "README.md").read_text()


def test_two_files_of_one_name_are_refused(plugin, tmp_path):
    other = tmp_path / "other" / plugin.name
    other.parent.mkdir()
    other.write_text(GOOD.replace('"mine"', '"yours"'))
    result = CliRunner().invoke(
        main, ["list", "strategies", "--plugin", str(plugin), "--plugin", str(other)]
    )
    assert result.exit_code == 2
    (line,) = result.stderr.splitlines()
    assert line.endswith(
        f"plugins {plugin} and {other} have one name, so that the second would replace the first; "
        "rename one of the files"
    )
    assert not strategies.load_plugins([plugin, plugin]).keys() - {"mine"}

"""What a plug-in raises, or how it ends its process, is one line, and the study goes on."""

import signal
from pathlib import Path

import pytest
from click.testing import CliRunner

from ue_bench import errors, plugins
from ue_bench.cli import main
from ue_bench.config import RunConfig
from ue_bench.errors import BenchError
from ue_bench.record import load_runs
from ue_bench.strategies import STRATEGIES, load_plugin
from ue_bench.study import Grid, Study
from ue_bench.study.local_executor import LocalExecutor
from ue_bench.study.plan import Plan
from ue_bench.study.processes import _killer
from ue_bench.testing.causes import _fault

pytestmark = pytest.mark.usefixtures("list_is_put_back")

FILE = Path(__file__).parents[1] / "helpers" / "raising_strategies.py"
LINE = 1 + FILE.read_text().splitlines().index("        raise RAISED[self.spec.name]")
PLACE = f"raising_strategies.py, line {LINE}, in embed"
ENDED = "the process ended with exit code {} without a result; does the strategy end it (os._exit)?"
TOLD = {  # of each strategy of the file, what follows its place
    "half_a_character": r"ValueError: \ud800\x00\x1b[2J",
    "unreadable": "Unreadable: (its message cannot be read)",
    "unreadable_memory": "out of memory: (its message cannot be read)",
    "long": "ValueError: " + "x" * 500,
    "long_escapes": "ValueError: " + r"\x1b" * 125,
    "no_exception": r"NoException: \x1b[31mno",
    "generator_exit": "GeneratorExit",
    "interrupt": "KeyboardInterrupt: mine",
    "no_message": "ValueError",
    "exits_0": ENDED.format(0),
    "exits_1": ENDED.format(1),
    "exits_7": ENDED.format(7),
    "real_time": f"the process was ended by signal {signal.SIGRTMIN + 6}",
}
PLACED = [name for name, told in TOLD.items() if not told.startswith(("the process", "out of"))]


def small(name):
    return RunConfig(
        "planted-one-feature", strategy=name, budget=4_096, epochs=1, measure="quality"
    )


def study_of(names, results):
    load_plugin(FILE)
    declared = Study("?", (Grid(tuple(map(small, names)), seeds=1),), latency=False)
    return LocalExecutor(Plan("any", declared), results, workers=2, plugins=[FILE])


def test_each_is_one_failed_run_and_the_study_goes_on(tmp_path):
    executor = study_of((*TOLD, "is_right"), tmp_path)
    (record,) = executor.run()
    assert record.config.strategy == "is_right"
    told = {}
    for failed in load_runs(tmp_path, "any")[0]:
        if failed.error is not None:
            told[failed.config.strategy] = failed.error
    assert set(told) == set(TOLD)
    for name, error in told.items():
        expected = TOLD[name]
        if name in PLACED:
            expected = f"{PLACE}: {expected}"
        assert error == expected


def test_a_fault_of_the_package_still_ends_the_study(tmp_path):
    with pytest.raises(RuntimeError, match="crashed; its traceback is above"):
        study_of(("breaks_the_package",), tmp_path).run()


def test_a_signal_without_a_name_has_its_number():
    assert _killer(-40) == "signal 40"
    assert _killer(-signal.SIGKILL) == "SIGKILL (out of memory?)"


class FakeContract:
    """One test, which the strategy of a name fails."""

    plugin = FILE

    def __init__(self, name):
        self.name = name

    def test_it(self):
        load_plugin(FILE)
        method = STRATEGIES[self.name].method
        strategy = method.__new__(method)
        strategy.__dict__["spec"] = self
        strategy.embed(None)


@pytest.mark.parametrize("name", [name for name in PLACED if name != "interrupt"])
def test_the_check_of_a_strategy_names_it(name):
    fault = _fault(FakeContract(name), "test_it")
    assert fault.text == f"{PLACE}: {TOLD[name]}"


def test_an_interrupt_ends_the_check_of_a_strategy():
    with pytest.raises(KeyboardInterrupt):
        _fault(FakeContract("interrupt"), "test_it")


@pytest.mark.parametrize("name", [name for name in PLACED if name != "interrupt"])
def test_a_run_is_one_line(name, tmp_path):
    line = ["run", "--plugin", str(FILE), "--strategy", name, "--dataset", "planted-one-feature"]
    line += ["--budget", "4096", "--epochs", "1", "--measure", "quality"]
    done = CliRunner().invoke(main, [*line, "--results", str(tmp_path)])
    assert done.exit_code == 2
    expected = f"Error: {PLACE}: {TOLD[name]}; mend the file"
    assert done.stderr.splitlines()[-1] == expected


LOADED = {
    "class B(BaseException): pass\nraise B('b')": (2, "line 2, in <module>: B: b; mend the file"),
    "raise GeneratorExit": (2, "line 1, in <module>: GeneratorExit; mend the file"),
    "raise ValueError('\\ud800')": (2, r"in <module>: ValueError: \ud800; mend the file"),
    "raise KeyboardInterrupt": (130, ""),
}


@pytest.mark.parametrize("content", LOADED)
def test_a_file_that_raises_as_it_is_loaded_is_one_line(content, tmp_path):
    code, told = LOADED[content]
    path = tmp_path / "mine.py"
    path.write_text(content)
    done = CliRunner().invoke(main, ["list", "strategies", "--plugin", str(path)])
    assert done.exit_code == code
    assert told in done.stderr
    assert len(done.stderr.splitlines()) == 1


def test_what_is_no_exception_is_an_error_of_the_file_in_python_too(tmp_path):
    path = tmp_path / "mine.py"
    path.write_text("raise GeneratorExit")
    with pytest.raises(BenchError, match=r"mine.py cannot be loaded: mine.py, line 1, in"):
        plugins.run(path, "plugin", "STRATEGIES")


def test_the_first_line_of_an_error_is_short_and_visible():
    assert errors.first_line(ValueError("one\ntwo")) == "one"
    assert errors.first_line(ValueError("")) == ""
    assert errors.first_line(ValueError("é" * 600)) == "é" * 500

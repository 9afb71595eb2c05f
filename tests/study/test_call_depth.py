"""The way from the command to the inner loop: at most five calls, and the process between."""

import json
import traceback
from pathlib import Path

import movielens_files as official
from click.testing import CliRunner

import ue_bench
from ue_bench.cli import main
from ue_bench.study.processes import Workers

MOST_CALLS = 5
STUDY = """
from ue_bench.config import RunConfig
from ue_bench.study import Grid, Study

ARM = RunConfig(budget=1000, epochs=1, patience=None)
STUDY = Study("how deep?", (Grid((ARM,), seeds=1),), latency=False)
"""
# A plug-in, for it runs in the process of the run. It writes the stack of the first call of `fit`.
PLUGIN = """
import json
import traceback

from ue_bench.strategies import Entry
from ue_bench.strategies.methods.hashing_trick import HashingTrick
from ue_bench.training import run_once

STRATEGIES = {{"watched": Entry(HashingTrick, ("multiplexed",), "as unified", "a test")}}
fit = run_once.fit


def watched_fit(*arguments, **named):
    run_once.fit = fit
    stack = [(entry.filename, entry.name) for entry in traceback.extract_stack()]
    with open({path!r}, "w") as file:
        json.dump(stack, file)
    return fit(*arguments, **named)


run_once.fit = watched_fit
"""


def functions(stack: list[tuple[str, str]], first: str) -> list[str]:
    """The package's functions on a stack, from the one named `first` inwards."""
    package = str(Path(ue_bench.__file__).parent)
    names = [name for filename, name in stack if filename.startswith(package)]
    return names[names.index(first) :]


def test_a_study_reaches_the_inner_loop_in_five_calls(tmp_path, monkeypatch):
    stacks = []
    start = Workers.start

    def recorded_start(workers, job):
        stack = [(entry.filename, entry.name) for entry in traceback.extract_stack()]
        stacks.append(functions(stack, "study_command"))
        start(workers, job)

    monkeypatch.setattr(Workers, "start", recorded_start)
    # Only the process of the run loads the plug-in.
    monkeypatch.setattr("ue_bench.cli.study_command.load_plugins", lambda plugins: None)
    (tmp_path / "depth.py").write_text(STUDY)
    (tmp_path / "watch.py").write_text(PLUGIN.format(path=str(tmp_path / "stack.json")))
    options = {
        "--plugin": tmp_path / "watch.py",
        "--results": tmp_path / "results",
        "--data-dir": official.write_folder(tmp_path, "ml-100k"),
    }
    words = ["study", str(tmp_path / "depth.py")]
    for name, value in options.items():
        words += [name, str(value)]
    done = CliRunner().invoke(main, words)
    assert done.exit_code == 0, done.output
    (parent,) = stacks
    assert parent == ["study_command", "run"]  # which calls `Workers.start`
    child = functions(json.loads((tmp_path / "stack.json").read_text()), "_run")
    calls_to_start = len(parent)
    calls_to_fit = len(child)
    assert calls_to_start + calls_to_fit <= MOST_CALLS, (parent, child)

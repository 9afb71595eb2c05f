"""The other process of the contract: it ends with its parent, and whatever a file does there."""

import os
import select
import signal
import subprocess
import sys

import pytest

from ue_bench import strategies
from ue_bench.strategies import load_plugin
from ue_bench.testing import check, elsewhere

SECONDS = 300  # that a machine may be busy with something else
# `locate` of this file does what it is to do in the other process alone.
PLUGIN = """
import os, sys, time
from ue_bench.strategies import Entry
from ue_bench.strategies.methods.hashing_trick import HashingTrick

class Mine(HashingTrick):
    def locate(self, feature, values):
        if sys.argv[0] == "-c" and os.getpid() != {own}:
            {what}
        return super().locate(feature, values)

STRATEGIES = {{"mine": Entry(Mine, ("multiplexed",), "a hashed table", "a test")}}
"""
HOLDS = "held = os.open({pipe!r}, os.O_WRONLY); os.write(held, b'.'); time.sleep(1e6)"


@pytest.fixture(autouse=True)
def nothing_is_left():
    before = dict(strategies.STRATEGIES)
    yield
    elsewhere.end()
    strategies.STRATEGIES.clear()
    strategies.STRATEGIES.update(before)


@pytest.fixture
def pipe(tmp_path):
    """A pipe that a hanging `locate` holds open for as long as it lives."""
    path = tmp_path / "pipe"
    os.mkfifo(path)
    held = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
    yield path, held
    os.close(held)


def written(tmp_path, what):
    path = tmp_path / "mine.py"
    path.write_text(PLUGIN.format(what=what, own=os.getpid()))
    return path


def read(held):
    assert select.select([held], [], [], SECONDS)[0], "nothing was written, nothing has ended"
    return os.read(held, 100)


def faults(path):
    """What is wrong with the file's strategy, by name of the test."""
    (name,) = load_plugin(path)
    return {test: fault.text for test, fault in check(name, "multiplexed", path) if fault}


@pytest.mark.parametrize(
    "number",
    [
        pytest.param(signal.SIGINT, marks=pytest.mark.slow),
        pytest.param(signal.SIGTERM, marks=pytest.mark.slow),
        signal.SIGKILL,
    ],
)
def test_nothing_outlives_a_command_that_is_ended(tmp_path, pipe, number):
    path, held = pipe
    plugin = written(tmp_path, HOLDS.format(pipe=str(path)))
    command = [sys.executable, "-m", "ue_bench", "check-strategy", str(plugin)]
    with subprocess.Popen(command, stderr=subprocess.DEVNULL) as process:
        try:
            assert read(held) == b"."
            process.send_signal(number)
            code = process.wait(SECONDS)
        finally:
            process.kill()
    assert code == {signal.SIGINT: 130, signal.SIGTERM: 143}.get(number, -number)
    assert read(held) == b""


def test_what_takes_too_long_is_ended_and_told(tmp_path, pipe, monkeypatch):
    monkeypatch.setattr(elsewhere, "MOST_SECONDS", 0.5)
    path, held = pipe
    plugin = written(tmp_path, HOLDS.format(pipe=str(path)))
    told = "locate takes more than 0.5 s in another process"
    assert faults(plugin) == {"test_locate_agrees_across_processes": told}
    os.close(os.open(path, os.O_WRONLY))  # it may have been ended before it opened the pipe
    while read(held):
        pass
    monkeypatch.undo()
    assert faults(written(tmp_path, "pass")) == {}


def test_an_interrupted_contract_spoils_no_later_one(tmp_path):
    """The answer that nobody waited for is not taken for that to the next request."""
    plugin = written(tmp_path, f"os.kill({os.getpid()}, 2)")
    with pytest.raises(KeyboardInterrupt):
        faults(plugin)
    another = written(tmp_path, "return super().locate(feature, values) * 0")
    assert faults(another) == {
        "test_locate_agrees_across_processes": "slots differ between processes"
    }
    assert faults(written(tmp_path, "pass")) == {}


@pytest.mark.parametrize(
    "what",
    ["print('[[[1]]]')", "os.write(1, b'[[[1]]]\\n')", "sys.stdout = None", "sys.stdin.read()"],
)
def test_what_a_file_prints_is_no_answer(tmp_path, capfd, what):
    assert faults(written(tmp_path, what)) == {}
    assert capfd.readouterr().out == ""

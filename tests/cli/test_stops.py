"""Ctrl-C and SIGTERM end a command by its exit code, but never in the middle of an import."""

import re
import signal
import sys
import time
import types

import numpy
import numpy.lib._version
import pytest
from click.testing import CliRunner

from ue_bench.cli import main, stops

PLUGIN = """
import signal, time
from pathlib import Path
signal.raise_signal({number})
until = time.monotonic() + {seconds}
while time.monotonic() < until:
    pass
Path({told!r}).write_text("loaded")
from ue_bench.strategies import STRATEGIES as known
STRATEGIES = {{"unified": known["unified"]}}  # a name that is there already
"""


@pytest.mark.parametrize(
    ("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)], ids=["int", "term"]
)
@pytest.mark.parametrize("seconds", [0, 0.2], ids=["short", "long"])
def test_what_is_being_imported_is_imported_first(tmp_path, number, code, seconds):
    """The file is loaded to its end, although the alarm rings meanwhile; then the command is ended."""
    path, told = tmp_path / "plugin.py", tmp_path / "told"
    path.write_text(PLUGIN.format(number=int(number), seconds=seconds, told=str(told)))
    before = [signal.getsignal(one) for one in (*stops.KINDS, signal.SIGALRM)]
    outcome = CliRunner().invoke(main, ["list", "strategies", "--plugin", str(path)])
    assert outcome.exit_code == code
    assert told.read_text() == "loaded"
    assert outcome.stderr.count("nothing that was finished is lost") == 1
    assert [signal.getsignal(one) for one in (*stops.KINDS, signal.SIGALRM)] == before
    assert signal.getitimer(signal.ITIMER_REAL) == (0, 0)


def test_numpys_version_is_read_to_its_end(monkeypatch):
    """A library in Rust asks for it when it first touches an array, and panics at an exception."""

    def match(*arguments):
        signal.raise_signal(signal.SIGINT)
        return re.match(*arguments)

    monkeypatch.setattr(
        numpy.lib._version, "re", types.SimpleNamespace(match=match, search=re.search)
    )
    with stops.stoppable():
        assert numpy.lib.NumpyVersion("2.1.0").major == 2
        with pytest.raises(KeyboardInterrupt):
            time.sleep(60)  # the alarm ends it


def test_an_import_without_end_is_ended(tmp_path, monkeypatch):
    monkeypatch.setattr(stops, "PATIENCE", 0.2)
    path, told = tmp_path / "plugin.py", tmp_path / "told"
    path.write_text(PLUGIN.format(number=int(signal.SIGINT), seconds=60, told=str(told)))
    assert CliRunner().invoke(main, ["list", "strategies", "--plugin", str(path)]).exit_code == 130
    assert not told.exists()


def test_outside_of_imports_it_is_at_once():
    with stops.stoppable() as settle:
        with pytest.raises(KeyboardInterrupt):
            signal.raise_signal(signal.SIGINT)
        with pytest.raises(stops.Terminated):
            signal.raise_signal(signal.SIGTERM)
        signal.raise_signal(signal.SIGTERM)  # again: it is on its way
        settle()


@pytest.mark.parametrize(
    ("number", "kind"), [(signal.SIGINT, KeyboardInterrupt), (signal.SIGTERM, stops.Terminated)]
)
def test_what_a_finalizer_swallows_is_raised_again(number, kind):
    class Finalized:
        def __del__(self):
            signal.raise_signal(number)

    def is_settled():
        with stops.stoppable() as settle:
            Finalized()
            settle()

    def waits():
        with stops.stoppable():
            Finalized()
            time.sleep(60)  # the alarm ends it

    before = sys.unraisablehook
    for command in (is_settled, waits):
        with pytest.raises(kind):
            command()
    assert sys.unraisablehook is before


def test_what_is_ignored_stays_so():
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        with stops.stoppable() as settle:
            signal.raise_signal(signal.SIGINT)
            settle()
    finally:
        signal.signal(signal.SIGINT, before)

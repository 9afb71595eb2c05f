"""kill -9 of a study or of its runs at any moment: the resumed study has the same records."""

import os
import random
import re
import signal
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path

import pandas as pd
import pytest
import survival

from ue_bench import record
from ue_bench.report import build

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="looks at /proc")
TIMED = re.compile("bytes_peak|peak|seconds|latency|step|_us|_ms")


def kill(pid: int) -> None:
    with suppress(ProcessLookupError):  # it was faster
        os.kill(pid, signal.SIGKILL)


def disturb(
    commands: survival.Commands,
    undisturbed: survival.Undisturbed,
    results: Path,
    chance: random.Random,
) -> str:
    """Start the study, kill it or one of its runs at some moment, and say which."""
    whom = chance.choice(("the study", "a run"))
    moment = chance.uniform(0, undisturbed.seconds)
    command = commands.start("tiny", results)
    time.sleep(moment)
    if whom == "the study":
        command.kill(signal.SIGKILL)  # it stays, as a zombie, until it is waited for
        assert command.wait() in (0, -signal.SIGKILL)
        commands.require_no_strays()
    else:
        deadline = time.monotonic() + 1
        while not (runs := commands.runs()) and time.monotonic() < deadline:
            time.sleep(0.002)
        for pid in runs:
            kill(pid)
        code, told = command.wait(), command.told()
        # 0: the run had sent its record, or was a trial, which runs again at once.
        assert code in (0, 2), told
        assert "Traceback" not in "\n".join(told)
    if results.is_dir():
        assert record.load(results)[1] == []  # every file is whole
    else:
        assert whom == "the study"
    return f"{whom} after {moment:.2f} s"


def tables(results: Path, out: Path) -> dict[str, pd.DataFrame]:
    """Return the tidy frames of the report, without what a clock or a memory counter measured."""
    build(results, out)
    frames = {path.name: pd.read_csv(path) for path in sorted((out / "tables").iterdir())}
    return {
        name: frame[[c for c in frame.columns if not TIMED.search(c)]]
        for name, frame in frames.items()
    }


def require_same_frames(results: Path, undisturbed: survival.Undisturbed, out: Path) -> None:
    want, got = tables(undisturbed.results, out / "want"), tables(results, out / "got")
    assert want.keys() == got.keys()
    for name, frame in want.items():
        assert len(frame.columns)
        pd.testing.assert_frame_equal(got[name], frame)


@pytest.mark.slow
def test_what_is_resumed_after_a_kill_is_what_would_have_been(commands, undisturbed, quick_results):
    chance = random.Random(0)
    for n in range(3):
        disturb(commands, undisturbed, quick_results / str(n), chance)
        undisturbed.require_same(commands, quick_results / str(n))


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(5))
def test_fifty_kills(commands, undisturbed, quick_results, tmp_path, seed):
    chance = random.Random(100 + seed)
    for n in range(10):
        what = disturb(commands, undisturbed, quick_results / str(n), chance)
        try:
            undisturbed.require_same(commands, quick_results / str(n))
        except AssertionError as error:
            raise AssertionError(f"kill {n} of seed {seed}: {what}") from error
    require_same_frames(quick_results / "9", undisturbed, tmp_path)


@pytest.mark.slow
def test_a_study_that_is_killed_again_and_again_arrives(commands, undisturbed, quick_results):
    chance = random.Random(1)
    for _ in range(15):
        disturb(commands, undisturbed, quick_results, chance)
    undisturbed.require_same(commands, quick_results)


# ---- a command with a forkserver of its own, as a user starts it

WHOLE = """
import survival
from ue_bench import cli, study

study.find = survival.STUDIES.get
cli.main()
"""


@pytest.fixture
def whole_command(commands, quick_results):
    """Starts `ue-bench study` in a process group of its own."""
    started = []

    def start(name: str) -> subprocess.Popen:
        words = [
            sys.executable,
            "-c",
            WHOLE,
            "study",
            name,
            "--results",
            quick_results,
            "--data-dir",
            commands.data,
        ]
        started.append(
            subprocess.Popen(
                [str(word) for word in words],
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                text=True,
                start_new_session=True,
                env=os.environ | {"PYTHONPATH": str(Path(survival.__file__).parent)},
            )
        )
        return started[-1]

    yield start
    for command in started:
        if not gone(command.pid):
            os.killpg(command.pid, signal.SIGKILL)
        command.communicate()


def gone(group: int) -> bool:
    try:
        os.killpg(group, 0)
    except ProcessLookupError:
        return True
    return False


def members(group: int) -> dict[int, str]:
    """The processes of a group, by id, with their command lines."""
    found = {}
    for path in Path("/proc").glob("[0-9]*"):
        try:
            if os.getpgid(int(path.name)) == group:
                found[int(path.name)] = (
                    (path / "cmdline").read_bytes().replace(b"\0", b" ").decode()
                )
        except (ProcessLookupError, FileNotFoundError):
            continue
    return found


def test_no_process_outlives_a_study_that_is_killed(whole_command, quick_results):
    command = whole_command("endless")
    survival.wait_for(lambda: list(quick_results.glob("*/*.json")), 60)
    assert len(members(command.pid)) >= 3  # itself, the forkserver and a run
    command.kill()
    command.wait()
    survival.wait_for(lambda: gone(command.pid), 10)


@pytest.mark.slow
def test_a_study_outlives_its_forkserver(whole_command, undisturbed, quick_results, commands):
    command = whole_command("tiny")
    survival.wait_for(lambda: list(quick_results.glob("*/*.json")), 60)
    (server,) = (
        pid
        for pid, line in members(command.pid).items()
        if "forkserver" in line and parent(pid) == command.pid
    )
    os.kill(server, signal.SIGKILL)
    err = command.communicate()[1]
    assert command.returncode in (0, 2), err
    assert "Traceback" not in err
    survival.wait_for(lambda: gone(command.pid), 10)
    undisturbed.require_same(commands, quick_results)


def parent(pid: int) -> int:
    return int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])

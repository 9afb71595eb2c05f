"""A study that is hindered ends with one clear line, loses no run, and can be continued."""

import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import survival

from ue_bench import record

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="looks at /proc, and mounts")


def require_one_line(code: int, told: list[str], *words: str) -> None:
    """Require exit code 2, and as the last line of standard error the only error."""
    assert code == 2, told
    assert "Traceback" not in "\n".join(told)
    errors = [line for line in told if line.startswith("Error: ")]
    assert errors == told[-1:], told
    for word in words:
        assert word in errors[0]


@pytest.fixture
def partial(undisturbed, quick_results):
    """Return a copy of the undisturbed study without its last trial and the confirmations."""
    shutil.copytree(undisturbed.results, quick_results)
    for one in record.load(quick_results)[0]:
        trial = one.found.get("trial", {})
        if one.phase == "confirm" or trial.get("number") == 2:
            record.path_of(quick_results, one.study, one.run_id).unlink()
    return quick_results


# ---- disks


@pytest.fixture
def mounted(tmp_path):
    """Return a function that mounts a small file system, or mounts it again with other options."""
    folder = tmp_path / "disk"
    folder.mkdir()

    def mount(options: str) -> Path:
        done = subprocess.run(
            ["mount", "-t", "tmpfs", "-o", options, "tmpfs", folder], capture_output=True, text=True
        )
        if done.returncode:
            pytest.skip(f"mounting is refused: {done.stderr.strip()}")
        return folder

    yield mount
    subprocess.run(["umount", folder], capture_output=True)


# Room for three records, and for more.
@pytest.mark.parametrize("size", ["12k", pytest.param("24k", marks=pytest.mark.slow)])
def test_a_disk_that_fills_up(commands, undisturbed, mounted, size):
    results = mounted(f"size={size}") / "results"
    code, told = commands.run("tiny", results)
    require_one_line(
        code,
        told,
        "No space left on device",
        "free the space",
    )
    finished = survival.records(results)
    assert 0 < len(finished) < len(undisturbed.records)
    assert finished.items() <= undisturbed.records.items()
    mounted("remount,size=10m")
    undisturbed.require_same(commands, results)


@pytest.mark.slow
@pytest.mark.parametrize("after", [0, 3])
def test_a_disk_that_tells_late_that_it_is_full(commands, undisturbed, quick_results, after):
    code, told = commands.run("tiny", quick_results, no_space_after=after)
    require_one_line(code, told, "cannot write", "No space left on device", "free the space")
    assert len(survival.records(quick_results)) == after
    assert survival.litter(quick_results) == []
    undisturbed.require_same(commands, quick_results)


def test_a_folder_that_may_only_be_read(commands, undisturbed, mounted, partial):
    results = mounted("size=10m") / "results"
    shutil.copytree(partial, results)
    mounted("remount,ro")
    before = survival.records(results)
    require_one_line(
        *commands.run("tiny", results),
        "cannot write",
        "Read-only file system",
        "choose another folder",
    )
    mounted("remount,rw")
    assert survival.records(results) == before
    undisturbed.require_same(commands, results)


# ---- runs that go wrong


def failed(results: Path) -> list[str]:
    return [str(one.error) for one in record.load(results)[0] if one.status == "failed"]


@pytest.mark.slow
def test_a_run_that_hangs_is_ended_and_the_study_goes_on(commands, quick_results):
    code, told = commands.run("hangs", quick_results, "--time-limit", 12, "--workers", 2)
    require_one_line(code, told, "2 runs failed", "the same command tries them again")
    assert len(survival.records(quick_results)) == 4
    assert len(failed(quick_results)) == 2
    assert all(
        "longer than the time limit of 12 seconds" in error and "raise --time-limit" in error
        for error in failed(quick_results)
    )
    assert any("time limit" in line and "(2 runs)" in line for line in told)
    assert commands.runs() == []
    assert survival.litter(quick_results) == []


def test_a_run_that_is_killed_for_its_memory(commands, quick_results):
    code, told = commands.run("dies", quick_results)
    require_one_line(code, told, "1 runs failed")
    assert failed(quick_results) == ["the process was ended by SIGKILL (out of memory?)"]
    assert len(survival.records(quick_results)) == 2


def test_a_trial_that_is_killed_is_tried_once_more_and_the_search_goes_on(commands, quick_results):
    code, told = commands.run("dies_at_times", quick_results)
    assert code == 2
    found = [one for one in record.load(quick_results)[0] if one.phase == "search"]
    assert [one.status for one in found if one.config.options["which"] == 2] == ["failed"]
    assert [one.status for one in found if one.config.options["which"] != 2] == ["ok"] * 2
    assert any("SIGKILL (out of memory?)" in line for line in told)
    before = survival.records(quick_results)
    assert commands.run("dies_at_times", quick_results)[0] == 0  # the search is complete
    assert survival.records(quick_results) == before


def test_a_run_too_big_for_any_machine(commands, quick_results):
    code, told = commands.run("huge", quick_results)
    require_one_line(code, told, "1 runs failed")
    (error,) = failed(quick_results)
    assert error.startswith("out of memory: ")
    assert len(survival.records(quick_results)) == 2


# ---- signals, and two commands in one folder


@pytest.mark.parametrize(
    ("number", "code", "word"),
    [(signal.SIGINT, 130, "interrupted"), (signal.SIGTERM, 143, "terminated")],
)
def test_a_signal_ends_a_study_in_one_line(commands, quick_results, number, code, word):
    command = commands.start("endless", quick_results)
    survival.wait_for(lambda: survival.records(quick_results) if quick_results.is_dir() else None)
    before = survival.records(quick_results)
    survival.wait_for(commands.runs)
    command.kill(number)
    assert command.wait() == code
    # The other lines are the question of the study and its progress.
    told = [line for line in command.told() if not line.startswith("endless: ")]
    assert told == [
        f"{word}: nothing that was finished is lost; the same command runs what is missing"
    ]
    commands.require_no_strays()
    assert survival.litter(quick_results) == []
    assert survival.records(quick_results) == before


def test_a_second_study_in_a_folder_is_refused_at_once(commands, quick_results):
    first = commands.start("endless", quick_results)
    survival.wait_for(commands.runs)
    second = commands.start("endless", quick_results)
    require_one_line(
        second.wait(),
        second.told(),
        f"{quick_results}/endless: another command works in this folder",
        "wait",
    )
    # It waited for nothing: the first one, which never ends, still works.
    assert commands.runs()
    assert len(second.told()) == 2
    assert commands.run("grid", quick_results)[0] == 0  # another study's folder is free
    first.kill(signal.SIGKILL)
    first.wait()
    commands.require_no_strays()
    # Nothing holds the folder any more.
    assert commands.run("endless", quick_results, "--time-limit", 2)[0] == 2


@pytest.mark.slow
def test_of_two_studies_started_together_one_does_all(commands, undisturbed, quick_results):
    both = [commands.start("tiny", quick_results) for _ in range(2)]
    codes = [command.wait() for command in both]
    assert sorted(codes) == [0, 2]
    refused, did = (both[codes.index(code)] for code in (2, 0))
    require_one_line(2, refused.told(), "another command works in this folder")
    assert f"{len(undisturbed.records)} runs made, 0 were ready, 0 failed" in did.out.read_text()
    assert survival.records(quick_results) == undisturbed.records
    assert survival.litter(quick_results) == []


@pytest.mark.slow
def test_records_can_be_read_while_a_study_writes_them(commands, undisturbed, quick_results):
    command = commands.start("tiny", quick_results)
    counts = []
    while not command.out.exists() or " runs made" not in command.out.read_text():
        if quick_results.is_dir():
            counts.append(len(survival.records(quick_results)))  # which finds nothing torn
        time.sleep(0.05)
    assert command.wait() == 0
    assert counts == sorted(counts)
    assert len(set(counts)) > 3
    assert survival.records(quick_results) == undisturbed.records


@pytest.mark.slow
def test_what_a_killed_command_left_half_written_is_removed(commands, undisturbed, quick_results):
    folder = quick_results / "tiny"
    folder.mkdir(parents=True)
    (folder / ".0123456789abcdef-x.tmp").write_text('{"run_')
    (folder / ".lock").write_text("")
    undisturbed.require_same(commands, quick_results)

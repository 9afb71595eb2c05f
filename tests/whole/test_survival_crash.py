"""A study that dies in its n-th operation on a file, or finds the disk full from there on.

The operations are writes, renames, fsyncs and removals.
"""

import shutil
import signal

import pytest
import survival

pytestmark = pytest.mark.skipif(
    not shutil.which("gcc"), reason="compiles what is preloaded into the study: needs gcc"
)
SHARDS = 16  # of the tests of every n: one takes some two minutes


def crash(commands, undisturbed, results, n):
    code, told = commands.run("tiny", results, arm=(str(results), n, 0))
    assert code == -signal.SIGKILL, (n, told)
    commands.require_no_strays()
    undisturbed.require_same(commands, results)


def fill(commands, undisturbed, results, n):
    code, told = commands.run("tiny", results, arm=(str(results), n, 1))
    assert code == 2, (n, told)
    assert "Traceback" not in "\n".join(told)
    assert told[-1].startswith("Error: "), told
    assert (
        "No space left" in told[-1] or "disk is full" in told[-1] or "disk I/O error" in told[-1]
    ), told
    # SQLite keeps its journal, with which it repairs the file.
    litter = [path for path in survival.litter(results) if not path.endswith("-journal")]
    assert litter == []
    survival.records(results)  # what is there is whole
    undisturbed.require_same(commands, results)


@pytest.mark.parametrize(
    "share", [0.002, *(pytest.param(share, marks=pytest.mark.slow) for share in (0.9, 0.985))]
)
def test_a_crash_in_the_middle_of_a_write_loses_nothing(
    commands, undisturbed, quick_results, share
):
    crash(commands, undisturbed, quick_results, 1 + int(share * (undisturbed.operations - 1)))


@pytest.mark.slow
@pytest.mark.parametrize("share", [0.95])
def test_a_disk_that_is_full_is_one_line_and_loses_nothing(
    commands, undisturbed, quick_results, share
):
    fill(commands, undisturbed, quick_results, 1 + int(share * (undisturbed.operations - 1)))


@pytest.mark.slow
@pytest.mark.parametrize("shard", range(SHARDS))
def test_a_crash_anywhere_loses_nothing(commands, undisturbed, quick_results, shard):
    for n in range(1 + shard, undisturbed.operations + 1, SHARDS):
        crash(commands, undisturbed, quick_results / str(n), n)


@pytest.mark.slow
@pytest.mark.parametrize("shard", range(SHARDS))
def test_a_disk_that_is_full_from_anywhere_on_loses_nothing(
    commands, undisturbed, quick_results, shard
):
    for n in range(1 + 5 * shard, undisturbed.operations - 1, 5 * SHARDS):
        fill(commands, undisturbed, quick_results / str(n), n)

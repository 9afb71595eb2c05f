"""A study under limits of the system ends with one clear line, and what was written is whole."""

import errno
import os
import sys

import pytest
import survival

from ue_bench.config import RunConfig
from ue_bench.errors import BenchError
from ue_bench.study import processes
from ue_bench.study.processes import Job, Workers

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="looks at /proc")


def test_no_record_is_larger_than_a_file_may_be(commands, quick_results):
    code, told = commands.run("grid", quick_results, size=2_000)
    assert code == 2, told
    assert "Traceback" not in "\n".join(told)
    (line,) = (line for line in told if line.startswith("Error: "))
    assert line == told[-1]
    assert ".json: File too large; raise the limit of a file's size (ulimit -f)" in line
    assert survival.litter(quick_results) == []
    assert survival.records(quick_results) == {}
    commands.require_no_strays()


@pytest.mark.parametrize(
    ("number", "advice"),
    [
        (errno.EMFILE, "ask for fewer --workers, or raise the limit of open files (ulimit -n)"),
        (errno.ENOMEM, "free memory, or raise the limits (ulimit -v and -u)"),
        (errno.ENAMETOOLONG, "set TMPDIR to a folder with a short path"),
    ],
)
def test_a_process_that_may_not_start_is_one_line(monkeypatch, number, advice):
    def refuse() -> None:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(processes, "_ensure_forkserver", refuse)
    job = Job(RunConfig(), "s", "grid", None, None)
    with Workers(1) as workers:
        with pytest.raises(BenchError, match="cannot start the process of a run: ") as caught:
            workers.start(job)
        assert advice in str(caught.value)
        assert workers.free == 1


def test_a_forkserver_that_ends_at_once_is_one_line(monkeypatch):
    def end() -> None:
        raise EOFError

    monkeypatch.setattr(processes, "_ensure_forkserver", end)
    with (
        Workers(1) as workers,
        pytest.raises(BenchError, match=r"forkserver .* ends at once; free"),
    ):
        workers.start(Job(RunConfig(), "s", "grid", None, None))

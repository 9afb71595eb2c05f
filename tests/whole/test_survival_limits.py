"""A study under limits of the system ends with one clear line, and what was written is whole."""

import errno
import os
import resource
import subprocess
import sys
from pathlib import Path

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


COMMAND = (str(Path(sys.executable).with_name("ue-bench")),)
LITTLE = ("--dataset", "planted-additive", "--features", "user_id,movie_id", "--budget", "4000")
LITTLE += ("--epochs", "1", "--measure", "quality")
STUDY = """
from ue_bench.config import RunConfig
from ue_bench.study import Grid, Study

ARM = RunConfig(dataset="planted-additive", features="user_id,movie_id", budget=4000, epochs=1, patience=None)
STUDY = Study("what fits?", (Grid((ARM,), seeds=2),), latency=False)
"""


def limited(folder, kind, limit, *words):
    return subprocess.run(
        [*COMMAND, *words],
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=300,
        preexec_fn=lambda: resource.setrlimit(kind, (limit, limit)),
    )


@pytest.mark.slow
def test_few_open_files_are_enough_for_a_run_and_a_study(tmp_path):
    (tmp_path / "fits.py").write_text(STUDY)
    run = limited(tmp_path, resource.RLIMIT_NOFILE, 16, "run", *LITTLE)
    assert run.returncode == 0, run.stderr
    study = limited(tmp_path, resource.RLIMIT_NOFILE, 64, "study", "fits.py", "--workers", "2")
    assert study.returncode == 0, study.stderr
    assert len(survival.records(tmp_path / "results/local")) == 3


@pytest.mark.slow
def test_too_few_open_files_for_a_study_are_one_line(tmp_path):
    (tmp_path / "fits.py").write_text(STUDY)
    study = limited(tmp_path, resource.RLIMIT_NOFILE, 12, "study", "fits.py", "--workers", "2")
    assert study.returncode == 2
    assert study.stderr.splitlines()[-1].startswith("Error: cannot start the process of a run: ")
    assert "Traceback" not in study.stderr
    assert survival.records(tmp_path / "results/local") == {}


@pytest.mark.slow
@pytest.mark.parametrize("megabytes", [400, 800])
def test_memory_that_no_library_fits_into_is_one_line(tmp_path, megabytes):
    run = limited(tmp_path, resource.RLIMIT_AS, megabytes * 10**6, "run", *LITTLE)
    assert run.returncode == 2, run.stderr
    assert "Traceback" not in run.stderr
    line = run.stderr.splitlines()[-1]  # polars may warn first that it was not loaded
    assert line.startswith("Error: out of memory (")
    assert "raise the limit (ulimit -v)" in line

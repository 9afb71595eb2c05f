"""The runs of a study with two workers, beside the same runs with one: each run has one thread."""

import os
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from ue_bench.config import RunConfig
from ue_bench.speed.line import Claim, Line
from ue_bench.study.processes import Job, Workers
from ue_bench.training.resolve import resolve

TITLE = (
    "A study with two workers on two cores (runs of one thread; latency is measured alone, at "
    "the end)"
)
RUNS = 24


def measure(quick: bool) -> Iterator[Line]:
    """Yield one line: runs a second of both, each measured twice, in the order 1, 2, 2, 1."""
    runs = RUNS
    if quick:
        runs = 8
    seconds = {1: 0.0, 2: 0.0}
    with tempfile.TemporaryDirectory(prefix="ue_bench-speed-") as folder:
        # The first run starts the forkserver, which loads torch, and fetches the data.
        _run_seconds(1, 1, Path(folder))
        for workers in (1, 2, 2, 1):
            seconds[workers] += _run_seconds(workers, runs, Path(folder))
    with_one = 2 * runs / seconds[1]
    with_two = 2 * runs / seconds[2]
    must = ">= 1.8"
    if (os.cpu_count() or 1) < 2:
        must = ""
    yield Line(
        what=f"{runs} runs of the default recipe",
        value=with_two,
        unit="runs/s",
        beside={"one worker": with_one},
        claims=(Claim(with_two / with_one, "x one worker", must),),
    )


def _run_seconds(workers: int, runs: int, folder: Path) -> float:
    """Return the seconds that some runs take with some workers."""
    jobs = []
    for seed in range(runs):
        config = resolve(RunConfig(budget=28_000, measure="quality").with_seed(seed))
        jobs.append(Job(config, "speed", "grid", folder, None))
    with Workers(workers) as pool:
        start = time.perf_counter()
        for _job, _record in pool.run_all(jobs):
            pass
        return time.perf_counter() - start

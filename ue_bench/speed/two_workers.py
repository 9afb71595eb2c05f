"""A study's runs with two workers, beside the same runs with one: each run has one thread."""

import os
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from ue_bench.config import RunConfig
from ue_bench.speed.line import Claim, Line
from ue_bench.study.processes import Job, Workers
from ue_bench.training.run_once import resolve

TITLE = "A study with two workers on two cores (runs of one thread; latency is measured alone, at the end)"
RUNS = 24


def measure(quick: bool) -> Iterator[Line]:
    """One line: runs a second of both, each measured twice, in the order 1, 2, 2, 1."""
    runs = 8 if quick else RUNS
    with tempfile.TemporaryDirectory(prefix="ue_bench-speed-") as folder:
        _run(1, 1, Path(folder))  # starts the forkserver, which loads torch, and fetches the data
        spent = {1: 0.0, 2: 0.0}
        for count in (1, 2, 2, 1):
            spent[count] += _run(count, runs, Path(folder))
    one, two = (2 * runs / spent[count] for count in (1, 2))
    enough = (os.cpu_count() or 1) >= 2
    claim = Claim(two / one, "x one worker", ">= 1.8" if enough else "")
    yield Line(f"{runs} runs of the default recipe", two, "runs/s", {"one worker": one}, (claim,))


def _run(count: int, runs: int, folder: Path) -> float:
    """Seconds for `runs` runs with `count` workers."""
    asked = [
        resolve(RunConfig(budget=28_000, measure="quality").with_seed(seed)) for seed in range(runs)
    ]
    jobs = [Job(config, "speed", "grid", folder, None) for config in asked]
    with Workers(count) as workers:
        start = time.perf_counter()
        for _job, _record in workers.run_all(jobs):
            pass
        return time.perf_counter() - start

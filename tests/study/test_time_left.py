"""The time left on the line of progress is what the study then takes."""

import random
import re
from dataclasses import replace
from itertools import pairwise

import fake_workers
import pytest
from fake_workers import BASE, QueuedWorkers

from ue_bench import progress
from ue_bench.study import Grid, Search, Study
from ue_bench.study.local_executor import LocalExecutor
from ue_bench.study.plan import Plan
from ue_bench.study.time_left import TimeLeft

SPREAD = 0.2  # of the seconds of a run
SLOW = 6.0  # times the seconds of a fast arm
LONGEST = 36.0  # seconds of a run
START = 4  # lines until each arm has ended once
GRID = Grid((replace(BASE, dim=4), replace(BASE, dim=8)), seeds=30)
SEARCHES = tuple(
    Search(
        replace(BASE, dim=dim),
        {"lr": (1e-3, 2e-3, 4e-3, 8e-3), "hidden": (16, 32, 64, 128)},
        trials=12,
        best=1,
        seeds=5,
        seed=10 * dim,
        margin=margin,
    )
    for dim, margin in ((4, None), (16, 0.002))
)


class Timed(QueuedWorkers):
    """Workers with a clock of their own, which goes on to the end of the run that ends first."""

    now = 0.0

    def __init__(self, count, time_limit):
        super().__init__(count, time_limit)
        self.ends = []

    def start(self, job):
        super().start(job)
        seconds = 5.0 * random.Random(job.config.run_id).uniform(1 - SPREAD, 1 + SPREAD)
        self.ends.append(Timed.now + seconds * (SLOW if job.config.dim == 8 else 1))

    def next(self):
        first = self.ends.index(min(self.ends))
        Timed.now = self.ends.pop(first)
        job = self.jobs.pop(first)
        found = {"trial": job.trial} if job.trial else {}
        score = 0.5 + job.config.lr
        return job, fake_workers.smallest(job.config, job.study, job.phase, score, **found)


@pytest.mark.parametrize("workers", [1, 3])
@pytest.mark.parametrize("parts", [(GRID,), SEARCHES], ids=["grid", "searches"])
def test_the_time_left_is_honest_and_does_not_jump(parts, workers, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(Timed, "now", 0.0)
    monkeypatch.setattr(progress, "PLAIN_SECONDS", 0.0)
    monkeypatch.setattr(progress.time, "monotonic", lambda: Timed.now)
    plan = Plan("s", Study("?", parts, latency=False))
    executor = LocalExecutor(plan, tmp_path, workers=workers, executor=Timed)
    executor.time_left = TimeLeft(lambda: Timed.now)
    told = []

    def noted(seconds=executor.time_left.seconds):
        left = seconds()
        if left is not None:
            told.append((Timed.now, left))
        return left

    executor.time_left.seconds = noted
    executor.run()
    shown = re.findall(r", ([\d,]+) s left in all;", capsys.readouterr().err)
    assert shown == [f"{left:,.0f}" for _, left in told]
    told = told[START:]
    assert len(told) > 40
    for (before, left), (now, later) in pairwise(told):
        assert abs(later - (left - (now - before))) < max(left / 3, LONGEST)
    for now, left in told:
        assert abs(left - (Timed.now - now)) < max(left / 2, LONGEST)


def test_no_time_is_left_known_before_the_first_run_has_ended():
    clock = [0.0]
    left = TimeLeft(lambda: clock[0])
    left.expect("part 1 of 2", {"arm": 4, "other": 2}, at_once=2)
    left.expect("part 2 of 2", {None: 10})
    left.start("1", "part 1 of 2", "arm")
    clock[0] = 6.0
    assert left.seconds() is None
    left.end("1")
    assert left.seconds() == (3 + 2) * 6 / 2 + 10 * 6
    left.start("2", "part 1 of 2", "other")
    clock[0] = 8.0
    assert left.seconds() == (5 * 6 - 2) / 2 + 10 * 6
    left.expect("part 1 of 2", {})
    left.expect("part 2 of 2", {None: 0})
    assert left.seconds() == 0

"""The command that runs a study keeps little of each run: its memory hardly grows with them."""

import gc
import tracemalloc
from dataclasses import replace
from itertools import pairwise

import fake_records
import pytest
from fake_workers import BASE, InMemory, quick_workers

from ue_bench.config import RunConfig
from ue_bench.record import load_runs, parse_run
from ue_bench.study import Grid, Search, Study, local_executor
from ue_bench.study.local_executor import LocalExecutor
from ue_bench.study.plan import Plan
from ue_bench.study.processes import Job

EACH = 25  # runs between two looks
MOST_BYTES = 2_000  # of a run: 10,000 take 20 MB

SPACE = {"lr": (1e-3, 2e-3, 4e-3, 8e-3), "hidden": (16, 32, 64, 128)}
GRID = Grid(tuple(RunConfig(budget=28_032, dim=dim) for dim in range(4, 14)), seeds=20)
SEARCHES = tuple(
    Search(BASE, SPACE, trials=10, best=1, seeds=1, seed=10 * seed, trial_seeds=1, startup=3)
    for seed in range(15)
)


class Meter:
    """Makes runs that take no time, and looks at the bytes that Python holds as they are made."""

    def __init__(self) -> None:
        self.count = 0
        self.held: list[int] = []
        self.record_bytes = 0

    def result(self, job: Job):
        self.count += 1
        if self.count % EACH == 0:
            gc.collect()
            self.held.append(tracemalloc.get_traced_memory()[0])
        found = {"trial": job.trial} if job.trial else {}
        text = fake_records.make(job.config, job.study, job.phase, **found).to_json()
        self.record_bytes = len(text)
        # As from a process of its own: nothing of it is shared with what is here already.
        return parse_run(text.encode(), "run")

    @property
    def bytes_a_run(self) -> float:
        # All but the largest growth between two looks: a module that loads late is made once.
        *grown, _ = sorted(later - held for held, later in pairwise(self.held))
        return sum(grown) / (EACH * len(grown))


@pytest.mark.slow
@pytest.mark.parametrize("parts", [(GRID,), SEARCHES], ids=["grid", "searches"])
def test_a_study_keeps_little_of_each_run(parts, tmp_path, monkeypatch):
    meter = Meter()
    monkeypatch.setattr(local_executor, "Workers", quick_workers(meter.result))
    monkeypatch.setattr(local_executor, "Sampler", InMemory)
    executor = LocalExecutor(Plan("s", Study("?", parts, latency=False)), tmp_path)
    tracemalloc.start()
    try:
        executor.run()
    finally:
        tracemalloc.stop()
    assert len(meter.held) >= 6
    assert meter.record_bytes > MOST_BYTES
    assert meter.bytes_a_run < MOST_BYTES


def test_what_is_kept_leads_to_the_whole_records(tmp_path, monkeypatch):
    monkeypatch.setattr(local_executor, "Workers", quick_workers(Meter().result))
    few = replace(GRID, seeds=3)
    executor = LocalExecutor(Plan("s", Study("?", (few,), latency=False)), tmp_path)
    kept = executor.run()
    whole = executor.records()
    assert [record.run_id for record in whole] == [record.run_id for record in kept]
    assert sorted(whole, key=lambda record: record.run_id) == load_runs(tmp_path, "s")[0]
    assert not any("test_mse" in record.quality for record in kept)
    assert all("test_mse" in record.quality for record in whole)

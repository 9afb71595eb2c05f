"""Searches of one study are answered side by side: no worker waits for the last run of a batch."""

from dataclasses import replace

import fake_workers
import pytest
from fake_workers import BASE

from ue_bench.config import RunConfig
from ue_bench.record import write
from ue_bench.study import Grid, Search, Study, local_executor
from ue_bench.study.local_executor import LocalExecutor
from ue_bench.study.plan import Plan

WORKERS = 6
RIVAL = RunConfig(strategy="bias", measure="quality")
SEARCHES = tuple(
    Search(
        replace(BASE, dim=dim),
        {"lr": (1e-3, 2e-3, 4e-3, 8e-3), "hidden": (16, 32, 64, 128)},
        against=(RIVAL,),
        trials=9,
        best=1,
        seeds=2,
        seed=10 * dim,
        trial_seeds=1,
        startup=3,
    )
    for dim in range(4, 28, 4)
)
GRID = Grid((replace(BASE, dim=32),), seeds=WORKERS)


class Counted(fake_workers.QueuedWorkers):
    """Workers that note the runs under way, by phase, whenever one ends. The last one ends first."""

    under_way: list[list[str]]
    started: list[str]

    def start(self, job):
        self.started.append(job.config.run_id)
        super().start(job)

    def next(self):
        self.under_way.append([job.phase for job in self.jobs])
        job = self.jobs.pop()
        score = 0.5 + job.config.lr
        found = {"trial": job.trial} if job.trial else {}
        made = fake_workers.smallest(job.config, job.study, job.phase, score, **found)
        write(made, job.results)
        return job, made


@pytest.fixture
def counted(tmp_path, monkeypatch):
    """Return what runs a study with so many workers, and what its workers noted."""

    def run(parts, workers):
        noting = type("Noting", (Counted,), {"under_way": [], "started": []})
        monkeypatch.setattr(local_executor, "Workers", noting)
        plan = Plan("s", Study("?", parts, latency=False))
        executor = LocalExecutor(plan, tmp_path / str(workers), workers=workers)
        run.executors.append(executor)
        return executor.run(), noting

    run.executors = []
    return run


def test_a_worker_that_one_search_leaves_idle_goes_on_with_the_next(counted):
    records, noted = counted(SEARCHES, WORKERS)
    # Alone, a search has at most a batch of four runs under way, and one at the end of each batch.
    busy = [len(phases) for phases in noted.under_way]
    assert busy.count(WORKERS) > 0.7 * len(busy)
    assert any({"search", "confirm"} == set(phases) for phases in noted.under_way)
    alone, _ = counted(SEARCHES, 1)
    assert records == alone


def test_what_all_winners_are_held_against_runs_once(counted):
    for workers in (1, WORKERS):
        records, noted = counted(SEARCHES, workers)
        assert len(noted.started) == len(set(noted.started))
        assert sorted(noted.started) == sorted(record.run_id for record in records)
        assert [record.config.strategy for record in records].count("bias") == 2  # of all seeds


def test_a_grid_runs_alone(counted):
    """The phase of a record that a grid and a search ask for is that of the first one of both."""
    _, noted = counted((SEARCHES[0], GRID, SEARCHES[1]), WORKERS)
    beside_grid = [set(phases) for phases in noted.under_way if "grid" in phases]
    assert len(beside_grid) == WORKERS
    assert all(phases == {"grid"} for phases in beside_grid)


@pytest.mark.parametrize("workers", [1, WORKERS])
def test_the_command_counts_each_wanted_run_as_made_or_ready(counted, workers):
    trials, winners, rivals = 9 * len(SEARCHES), 2 * len(SEARCHES), 2 * len(SEARCHES)
    counted(SEARCHES, workers)
    (first,) = counted.executors
    assert first.ledger.made == trials + winners + 2
    assert first.ledger.ready == rivals - 2
    counted(SEARCHES, workers)
    again = counted.executors[-1]
    assert (again.ledger.made, again.ledger.ready) == (0, trials + winners + rivals)

"""The latencies of what a study has so far, measured before all of its searches are done."""

import random
from collections import Counter
from dataclasses import replace

import fake_records
import fake_workers
import pytest
from fake_workers import BASE, quick_workers

from ue_bench.config import RunConfig
from ue_bench.errors import BenchError
from ue_bench.record import load_runs, path_of
from ue_bench.study import Grid, Search, Study, local_executor
from ue_bench.study.local_executor import LocalExecutor
from ue_bench.study.plan import Plan

GRID = Grid(tuple(RunConfig(budget=28_032, dim=dim) for dim in (4, 5, 6)), seeds=2)
DONE, OPEN = (
    Search(
        replace(BASE, dim=dim),
        {"lr": (1e-3, 2e-3, 4e-3, 8e-3), "hidden": (16, 32, 64, 128)},
        trials=4,
        best=1,
        seeds=2,
        seed=10 * dim,
        trial_seeds=1,
        startup=2,
    )
    for dim in (8, 12)
)
SOME, ALL = (GRID, DONE), (GRID, DONE, OPEN)


def result(job):
    found = {"trial": job.trial} if job.trial else {}
    score = 0.5 + job.config.lr
    run = fake_workers.smallest(job.config, job.study, job.phase, score, **found)
    if job.phase != "latency":
        return run
    timings = fake_records.latency(1.0, random.Random(0))
    return replace(run, quality={}, cost=run.cost | {"latency": timings})


@pytest.fixture
def made(tmp_path, monkeypatch):
    """Return what runs parts of a study, and says which runs it made, by phase."""

    def run(parts, latency=True, **how):
        phases = Counter()

        def counted(job):
            phases[job.phase] += 1
            return result(job)

        monkeypatch.setattr(local_executor, "Workers", quick_workers(counted))
        study = Study("?", parts, latency=latency)
        LocalExecutor(Plan("s", study), tmp_path, **how).run()
        return dict(phases)

    return run


def arm(config):
    return replace(config.with_seed(0), measure="quality").run_id


def test_what_is_there_is_timed_and_nothing_else_is_made(made, tmp_path, capsys):
    assert set(made(SOME, latency=False)) == {"grid", "search", "confirm"}
    gone = RunConfig(budget=28_032, dim=6)
    quoted = set()
    for run in load_runs(tmp_path, "s")[0]:
        if run.config.dim == gone.dim:
            path_of(tmp_path, "s", run.run_id).unlink()
        elif run.phase != "search":
            quoted.add(arm(run.config))
    assert made(ALL, only_latency=True) == {"latency": len(quoted)}
    timed = [run for run in load_runs(tmp_path, "s")[0] if run.phase == "latency"]
    assert {arm(run.config) for run in timed} == quoted
    told = capsys.readouterr().err
    assert "has 0 of 4 trials, which --only-latency does not make" in told
    assert made(ALL, only_latency=True) == {}
    rest = made(ALL)  # the two runs of the grid that are gone, the search, and what they add
    assert rest == {"grid": 2, "search": 4, "confirm": 2, "latency": 2}


def test_a_study_without_latencies_is_one_line(made):
    with pytest.raises(BenchError, match="s: it measures no latency; leave --only-latency out"):
        made(SOME, latency=False, only_latency=True)

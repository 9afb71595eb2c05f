"""The command that runs a study keeps little of each run: its memory hardly grows with them."""

import gc
import json
import tracemalloc
from dataclasses import replace
from itertools import pairwise

import fake_records
import pytest
from fake_workers import BASE, quick_workers

from ue_bench.cli.group import print_json_list
from ue_bench.cli.study_command import print_findings
from ue_bench.config import RunConfig
from ue_bench.record import load_runs, pack, parse_run, write
from ue_bench.report.evidence import power
from ue_bench.report.evidence.arms import collect
from ue_bench.study import Grid, Search, Study, local_executor
from ue_bench.study.compared_record import compared
from ue_bench.study.local_executor import LocalExecutor
from ue_bench.study.plan import Plan
from ue_bench.study.processes import Job

EACH = 25  # runs between two looks
MOST_BYTES = 2_000  # of a run: 10,000 take 20 MB
MOST_AT_END = 2_000  # of a run more, while findings are made, beside what they take of any study
OF_FINDINGS = 1_000_000  # bytes
MOST_PRINTED = 1_000  # of a run, while records are printed
SEEDS = 3  # of a trial

SPACE = {"lr": (1e-3, 2e-3, 4e-3, 8e-3), "hidden": (16, 32, 64, 128)}
GRID = Grid(tuple(RunConfig(budget=28_032, dim=dim) for dim in range(4, 14)), seeds=20)
SEARCHES = tuple(
    Search(BASE, SPACE, trials=10, best=1, seeds=1, seed=10 * seed, trial_seeds=SEEDS, startup=3)
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
        # Of the second half, in which what is shared by runs is there, all but the largest growth
        # between two looks: a module that loads late is made once.
        settled = self.held[len(self.held) // 2 :]
        *grown, _ = sorted(later - held for held, later in pairwise(settled))
        return sum(grown) / (EACH * len(grown))


def study_of(parts, folder, monkeypatch, meter):
    """An executor whose runs take no time."""
    monkeypatch.setattr(local_executor, "Workers", quick_workers(meter.result))
    return LocalExecutor(Plan("s", Study("?", parts, latency=False)), folder)


@pytest.mark.slow
@pytest.mark.parametrize("parts", [(GRID,), SEARCHES], ids=["grid", "searches"])
def test_a_study_keeps_little_of_each_run(parts, tmp_path, monkeypatch, capsys):
    meter = Meter()
    few = study_of((replace(GRID, seeds=2),), tmp_path / "few", monkeypatch, Meter())
    few.run()
    print_findings(few.compared_records(), err=False)  # loads what it needs
    executor = study_of(parts, tmp_path, monkeypatch, meter)
    tracemalloc.start()
    try:
        executor.run()
        gc.collect()
        before = tracemalloc.get_traced_memory()[0]
        tracemalloc.reset_peak()
        print_findings(executor.compared_records(), err=False)
        at_end = tracemalloc.get_traced_memory()[1] - before
        gc.collect()
        before = tracemalloc.get_traced_memory()[0]
        tracemalloc.reset_peak()
        capsys.readouterr()
        n_printed = sum(1 for _ in executor.whole_records())
        streamed = tracemalloc.get_traced_memory()[1] - before
    finally:
        tracemalloc.stop()
    with capsys.disabled():
        print(
            f"\n{meter.count} runs, records of {meter.record_bytes:,} bytes: "
            f"{meter.bytes_a_run:,.0f} bytes a run; {at_end:,} in all for the findings, "
            f"{streamed:,} to print the records"
        )
    assert len(meter.held) >= 6
    assert meter.record_bytes > MOST_BYTES
    assert meter.bytes_a_run < MOST_BYTES
    assert at_end < OF_FINDINGS + MOST_AT_END * meter.count
    assert n_printed == meter.count
    assert streamed < 20 * meter.record_bytes + MOST_PRINTED * meter.count


def test_what_is_kept_leads_to_the_whole_records(tmp_path, monkeypatch):
    executor = study_of((replace(GRID, seeds=3),), tmp_path, monkeypatch, Meter())
    kept = executor.run()
    whole = list(executor.whole_records())
    assert {record.run_id for record in whole} == {record.run_id for record in kept}
    assert whole == load_runs(tmp_path, "s")[0]
    assert not any("test_mse" in record.quality for record in kept)
    assert all("test_mse" in record.quality for record in whole)


@pytest.mark.parametrize("split", ["random", "global_temporal"])
def test_findings_are_those_of_the_whole_records(split):
    """Errors by group are kept where an interval is drawn from them, as by time, and only there."""
    runs = []
    for run in fake_records.study_grid(seeds=3):
        if run.config.features == "base" and run.quality:
            config = replace(run.config, split=split)
            run = replace(run, config=config, run_id=config.run_id)
            runs.append(fake_records.with_groups(run))
    kept = [compared(run, run.config) for run in runs]
    (line,) = power.of_arms(collect(kept).kept)
    assert [line] == power.of_arms(collect(runs).kept)
    assert ("bootstrap over users" in line) == (split != "random")
    assert all(("groups" in run.quality) == (split != "random") for run in kept)
    assert not any("rarity" in run.quality or run.env for run in kept)


def test_runs_are_read_one_by_one_and_a_file_of_its_own_is_the_newer_one(tmp_path):
    run = fake_records.make(RunConfig(budget=28_032))
    other = fake_records.make(RunConfig(budget=28_032).with_seed(1))
    for one in (run, other):
        write(one, tmp_path)
    pack(tmp_path, run.study)
    newer = replace(run, cost=run.cost | {"train_seconds": 77.0})
    write(newer, tmp_path)
    found = list(local_executor.records_room.runs_one_by_one(tmp_path, run.study))
    assert found == [newer, other]


@pytest.mark.parametrize("values", [[], [1], [{"a": "é\x1b"}, None, [2]]])
def test_a_list_is_printed_value_by_value_as_json(values, capsys):
    print_json_list(iter(values))
    printed = capsys.readouterr().out
    assert json.loads(printed) == values
    assert "\x1b" not in printed

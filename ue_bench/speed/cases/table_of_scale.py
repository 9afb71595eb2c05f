"""What grows with scale: first contact with many rows, a later start on many, the anchors' share of
a run, a step on a large table, and what a study keeps of each of its runs."""

import gc
import tracemalloc
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from typing import Any

from ue_bench.config import RunConfig
from ue_bench.record import parse_run
from ue_bench.speed import first_contact, peers
from ue_bench.speed.anchor_share import anchor_share
from ue_bench.speed.cases.report_time import copy_of, real_record
from ue_bench.speed.cases.training_step import STEADY
from ue_bench.speed.interleaved_timing import time_in_turns
from ue_bench.speed.later_start import started
from ue_bench.speed.line import Claim, Line
from ue_bench.speed.model_calls import peer_step_call, step_call
from ue_bench.study.local_executor import Ledger

TITLE = (
    "Scale: first contact with many rows, a later start on many, the anchors' share of a run, a "
    "training step on large tables (10 features of 2 lookups of 8 numbers, skewed batches of 4,096 "
    "rows, one thread), and what a study keeps of each run"
)
ROWS = 25_000_095  # of ML-25M
TABLES: tuple[int, ...] = (250_000, 4_000_000)  # rows
STEP: dict[str, Any] = {"batch": 4096, "features": 10, "lookups": 2, "dim": 8, "skewed": True}
RUNS = 2_000
MANY_RUNS = 10_000
MOST_BYTES = 20e6  # that so many runs may add to the memory of their command
# Logs of 200,000 rows, 2 million and 20 million, of the same features and table.
LOGS: tuple[RunConfig, ...] = (
    RunConfig(dataset="click-world-small", task="binary", budget=1_000_000),
    RunConfig(dataset="click-world-medium", task="binary", budget=1_000_000),
    RunConfig(dataset="click-world-large", task="binary", budget=1_000_000),
)
MOST_SECONDS = 2.0  # of a start beyond the imports, whatever the rows
WORKERS = 4
PEER = "FBGEMM TBE"  # whose backward pass updates the rows, by row-wise Adagrad


def measure(quick: bool) -> Iterator[Line]:
    """Yield the lines of first contact, later starts, anchors, each table, and of runs.

    quick: all of them on the smallest log, and on fewer rows.
    """
    n_ratings = ROWS
    logs = LOGS
    tables = TABLES
    runs = RUNS
    seconds = 20.0
    if quick:
        n_ratings = ROWS // 50
        logs = LOGS[:1]
        tables = tuple(rows // 10 for rows in TABLES)
        runs = RUNS // 10
        seconds = 2.0
    yield from first_contact.lines(n_ratings)
    yield from _later_starts(logs)
    yield anchor_share(logs[-1])
    yield from _steps(tables, seconds)
    yield _kept_of_runs(runs)


def _later_starts(logs: Sequence[RunConfig]) -> Iterator[Line]:
    """Start a run on each log, which the cache has by then, and several at once on the last one."""
    for log in logs:
        started(log, 1)  # the cache has it from now on
        (alone,) = started(log, 1)
        yield Line(
            what=f"{log.dataset}: from the imports to the first step",
            value=alone.seconds,
            unit="s",
            claims=(Claim(alone.seconds / MOST_SECONDS, f"x {MOST_SECONDS:g} s", "<= 1"),),
        )
    together = sum(one.bytes for one in started(logs[-1], WORKERS))
    yield Line(
        what=f"{logs[-1].dataset}: memory that {WORKERS} runs add together",
        value=together,
        unit="B",
        beside={"one alone": alone.bytes},
        claims=(Claim(together / alone.bytes, "x that of one", "<= 1.3"),),
        note="resident, with its share of shared pages; the imports are left out",
    )


def _steps(tables: tuple[int, ...], seconds: float) -> Iterator[Line]:
    """Time whole steps on each table, with Adam for the rows of the batch and with the peer's rows.

    All else is the same code.
    """
    makers, note = peers.installed()
    calls: dict[str, Callable[[], Any]] = {}
    for rows in tables:
        calls[f"{rows}"] = step_call(sparse=True, rows=rows, **STEP)
        if PEER in makers:
            calls[f"{PEER} {rows}"] = peer_step_call(peers.TRAINED[PEER], rows=rows, **STEP)
    times = time_in_turns(calls, seconds, **STEADY)
    for rows in tables:
        claims: list[Claim] = []
        beside = {}
        if PEER in makers:
            with_peer = f"{PEER} {rows}"
            beside[f"with {PEER}"] = times.seconds(with_peer)
            claims.append(Claim(times.ratio(f"{rows}", with_peer), f"x {PEER}", "<= 1.1"))
        if rows != tables[0]:
            growth = times.ratio(f"{rows}", f"{tables[0]}")
            claims.append(Claim(growth, f"x the step on {tables[0]:,} rows"))
        yield Line(
            what=f"a step on {rows:,} rows",
            value=times.seconds(f"{rows}"),
            unit="s",
            beside=beside,
            claims=tuple(claims),
            note="" if PEER in makers else note,
        )


def _kept_of_runs(runs: int) -> Line:
    """Measure what the command of a study holds of each run of a grid when it has its record."""
    template = real_record()
    configs = [template.config.with_seed(seed) for seed in range(runs)]
    ledger = Ledger()
    record_bytes = 0
    tracemalloc.start()
    for config in configs:
        text = copy_of(template, config, 1.0).to_json().encode()
        record_bytes += len(text)
        # As `LocalExecutor` does: the plan has the configuration already.
        ledger.keep(replace(parse_run(text, "a run"), config=config))
    gc.collect()
    held = tracemalloc.get_traced_memory()[0] / runs
    tracemalloc.stop()
    return Line(
        what=f"memory kept of each of {runs:,} runs",
        value=held,
        unit="B",
        beside={"a record's text": record_bytes / runs},
        claims=(Claim(held * MANY_RUNS / MOST_BYTES, f"x 20 MB in {MANY_RUNS:,} runs", "<= 1"),),
        note="counted by tracemalloc",
    )

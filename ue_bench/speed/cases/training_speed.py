"""Rows trained a second on ML-100K with the default recipe, beside the program that one would write
first, and the operations in which a step spends its time."""

import statistics
from collections.abc import Callable, Iterator
from typing import Any

from torch.profiler import ProfilerActivity, profile

from ue_bench.config import RunConfig
from ue_bench.speed.interleaved_timing import time_in_turns
from ue_bench.speed.line import Claim, Line
from ue_bench.speed.model_calls import step_call
from ue_bench.speed.straightforward_program import compare

TITLE = (
    "Training on ML-100K, default recipe, exact table of `base`, beside the straightforward "
    "program, one thread"
)
SHOWN = 8  # operations of a step that have a name in the line
STEPS = 300


def measure(quick: bool) -> Iterator[Line]:
    """Yield a line for the rows a second of both programs, and one for the operations of a step."""
    splits = 5
    if quick:
        splits = 1
    yield _rows_a_second(splits)
    yield _operations()


def _rows_a_second(splits: int) -> Line:
    runs = compare(seeds=splits)
    theirs = statistics.median(run["straightforward_rows_a_second"] for run in runs)
    times_as_fast = statistics.median(run["times_as_fast"] for run in runs)
    mse_differences = [run["val_mse"] - run["straightforward_val_mse"] for run in runs]
    return Line(
        what=f"{len(runs)} splits",
        value=statistics.median(run["rows_a_second"] for run in runs),
        unit="rows/s",
        beside={"straightforward": theirs},
        claims=(
            Claim(times_as_fast, "x the straightforward program", ">= 3"),
            Claim(
                statistics.mean(mse_differences),
                "validation MSE less its, mean over the splits",
                "<= 0.002",
            ),
        ),
        note="evaluation after each epoch included in both",
    )


def _operations() -> Line:
    config = RunConfig()
    step = step_call(
        batch=config.batch_size, features=6, lookups=1, dim=config.dim, rows=3_504, values=3_504
    )
    seconds = time_in_turns({"step": step}, 0.5).seconds("step")
    spent = _profiled(step)
    total = sum(spent.values())
    largest = sorted(spent, key=lambda name: spent[name], reverse=True)[:SHOWN]
    shares = {}
    for name in largest:
        shares[name.removeprefix("aten::")] = spent[name] / total * seconds
    shares["all others"] = seconds - sum(shares.values())
    return Line(
        what=f"where a step of {config.batch_size} rows spends its time",
        value=seconds,
        unit="s",
        beside=shares,
        note="times of operations are shares of the profiler's, which slows all of them, of the "
        "step's time without it",
    )


def _profiled(step: Callable[[], Any]) -> dict[str, float]:
    """Return the time that a step spends in each operation itself, by name."""
    with profile(activities=[ProfilerActivity.CPU]) as profiled:
        for _ in range(STEPS):
            step()
    spent = {}
    for event in profiled.key_averages():
        if event.self_cpu_time_total > 0:
            spent[event.key] = event.self_cpu_time_total
    return spent

"""Rows trained a second on ML-100K with the default recipe, beside the program that one would write first; where time goes."""

import statistics
from collections.abc import Iterator

from torch.profiler import ProfilerActivity, profile

from ue_bench.config import RunConfig
from ue_bench.speed.line import Claim, Line
from ue_bench.speed.steps import step
from ue_bench.speed.straightforward import beside
from ue_bench.speed.turns import in_turns

TITLE = "Training on ML-100K, default recipe, exact table of `base`, beside the straightforward program, one thread"
SHOWN = 8  # operations of a step that are named
STEPS = 300


def measure(quick: bool) -> Iterator[Line]:
    """A line for the rows a second of both programs, and one for the operations that a step spends its time in."""
    runs = beside(seeds=1 if quick else 5)
    ours, theirs = (
        statistics.median(run[name] for run in runs)
        for name in ("rows_a_second", "straightforward_rows_a_second")
    )
    better = [run["val_mse"] - run["straightforward_val_mse"] for run in runs]
    claims = (
        Claim(
            statistics.median(run["times_as_fast"] for run in runs),
            "x the straightforward program",
            ">= 3",
        ),
        Claim(statistics.mean(better), "validation MSE less its, mean over the splits", "<= 0.002"),
    )
    yield Line(
        f"{len(runs)} splits",
        ours,
        "rows/s",
        {"straightforward": theirs},
        claims,
        "evaluation after each epoch included in both",
    )
    config = RunConfig()
    call = step(
        batch=config.batch_size, features=6, lookups=1, dim=config.dim, rows=3_504, values=3_504
    )
    wall = in_turns({"step": call}, 0.5).seconds("step")
    with profile(activities=[ProfilerActivity.CPU]) as profiled:
        for _ in range(STEPS):
            call()
    own = {
        event.key: event.self_cpu_time_total
        for event in profiled.key_averages()
        if event.self_cpu_time_total > 0
    }
    total = sum(own.values())
    largest = sorted(own, key=lambda name: own[name], reverse=True)[:SHOWN]
    shares = {name.removeprefix("aten::"): own[name] / total * wall for name in largest}
    shares["all others"] = wall - sum(shares.values())
    note = "times of operations are shares of the profiler's, which slows all of them, of the step's time without it"
    yield Line(
        f"where a step of {config.batch_size} rows spends its time", wall, "s", shares, (), note
    )

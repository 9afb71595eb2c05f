"""The report over ten thousand records, which are copies of one real record under other strategies,
budgets and seeds."""

import os
import random
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from ue_bench import safe_path
from ue_bench.config import RunConfig
from ue_bench.record import Record, write
from ue_bench.speed.line import Claim, Line
from ue_bench.strategies import STRATEGIES
from ue_bench.training.resolve import resolve
from ue_bench.training.run_once import run_once

TITLE = "Report over 10,000 records"
SEEDS = 25
LIMIT = 30.0  # seconds
STUDY = "table_size"


def measure(quick: bool) -> Iterator[Line]:
    """Yield one line: the processor time of `ue-bench report`.

    It is close to the time that the report takes on a machine with nothing else to do.
    """
    seeds = SEEDS
    if quick:
        seeds = 4
    with tempfile.TemporaryDirectory(prefix="ue_bench-speed-") as folder:
        results = Path(folder) / "results"
        count = write_many(results, seeds)
        before = _processor_seconds_of_children()
        command = [sys.executable, "-m", "ue_bench", "report", "--results", str(results)]
        # The words of the command are fixed, and there is no shell.
        subprocess.run(  # nosec B603
            command, check=True, stdout=subprocess.DEVNULL, env=safe_path.environment()
        )
        seconds = _processor_seconds_of_children() - before
    yield Line(
        what=f"{count:,} records",
        value=seconds,
        unit="s",
        claims=(Claim(seconds / LIMIT, f"x {LIMIT:g} s", "<= 1"),),
        note="time of the processor",
    )


def write_many(results: Path, seeds: int) -> int:
    """Write records of all forms of all strategies at ten budgets, and return their number."""
    template = real_record()
    noise = random.Random(0)
    configs = list(_configs(template.config, seeds))
    for size, config in configs:
        scale = 1 + 0.1 / (size + 1) + noise.gauss(0, 0.01)
        write(copy_of(template, config, scale), results)
    return len(configs)


def real_record() -> Record:
    """Return the record of a short run, made here."""
    like = resolve(RunConfig(dataset="planted-noise", strategy="unified", budget=20_000, epochs=1))
    return run_once(like, study=STUDY, phase="grid")


def _configs(like: RunConfig, seeds: int) -> Iterator[tuple[int, RunConfig]]:
    """Yield the number of the budget, from 0, and the configuration of every record."""
    for name, entry in STRATEGIES.items():
        for regions in entry.regions:
            for size in range(10):
                budget = 1_000 * 2**size
                config = replace(like, strategy=name, regions=regions, budget=budget)
                for seed in range(seeds):
                    yield size, resolve(config.with_seed(seed))


def copy_of(template: Record, config: RunConfig, scale: float) -> Record:
    """Return the record of another configuration, with errors scaled by a factor.

    Its table takes the whole budget: the report leaves out a record that is over it.
    """
    quality = dict(template.quality)
    for name, value in quality.items():
        if name.endswith("_mse"):
            quality[name] = value * scale
    return replace(
        template,
        run_id=config.run_id,
        config=config,
        quality=quality,
        found=template.found | {"exact_table_bytes": 1_024_000},
        cost=template.cost | {"table_bytes": config.budget, "total_bytes": config.budget},
    )


def _processor_seconds_of_children() -> float:
    times = os.times()
    return times.children_user + times.children_system

"""The report over thousands of records as heavy as published ones, which are copies of one real
record under other strategies, budgets and seeds, and over what is published."""

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

TITLE = "Report over 13,000 made records, and over the published ones"
SEEDS = 23
LIMIT = 20.0  # seconds
LIMIT_OF_PUBLISHED = 60.0  # seconds
PUBLISHED = Path("results/published")  # of a checkout
STUDY = "table_size"
# What the record is made of that all others are copies of: a published run, as heavy as they are.
HEAVY = RunConfig(strategy="unified", budget=28_032)


def measure(quick: bool) -> Iterator[Line]:
    """Yield the processor time of `ue-bench report` over made records, and over published ones.

    It is close to the time that the report takes on a machine with nothing else to do. quick: over
    few made ones alone.
    """
    template = run_once(resolve(HEAVY), study=STUDY, phase="grid")
    seeds = 4 if quick else SEEDS
    with tempfile.TemporaryDirectory(prefix="ue_bench-speed-") as folder:
        results = Path(folder) / "results"
        count = write_many(results, template, seeds)
        each = len(template.to_json().encode())
        yield _line(f"{count:,} records", results, LIMIT, f"; a record has {each / 1000:.1f} kB")
    if not quick:
        yield over_published(PUBLISHED)


def over_published(results: Path) -> Line:
    """Return the line of the published records; one without a value where they are not here."""
    what = "the published records"
    if results.is_dir():
        return _line(what, results, LIMIT_OF_PUBLISHED)
    return Line(what, None, "s", note=f"{results} is not in this folder; measure in a checkout")


def _line(what: str, results: Path, limit: float, more: str = "") -> Line:
    seconds = processor_seconds(results)
    return Line(
        what=what,
        value=seconds,
        unit="s",
        claims=(Claim(seconds / limit, f"x {limit:g} s", "<= 1"),),
        note=f"time of the processor{more}",
    )


def processor_seconds(results: Path) -> float:
    """Return the processor time of `ue-bench report` over a results folder."""
    with tempfile.TemporaryDirectory(prefix="ue_bench-speed-") as out:
        before = _processor_seconds_of_children()
        words = ["report", "--results", str(results), "--out", out]
        # The words of the command are fixed, and there is no shell.
        subprocess.run(  # nosec B603
            [sys.executable, "-m", "ue_bench", *words],
            check=True,
            stdout=subprocess.DEVNULL,
            env=safe_path.environment(),
        )
        return _processor_seconds_of_children() - before


def write_many(results: Path, template: Record, seeds: int) -> int:
    """Write records of all forms of all strategies at ten budgets, and return their number.

    template: the record that they are copies of.
    """
    noise = random.Random(0)
    configs = list(_configs(template.config, seeds))
    for size, config in configs:
        scale = 1 + 0.1 / (size + 1) + noise.gauss(0, 0.01)
        write(copy_of(template, config, scale), results)
    return len(configs)


def real_record() -> Record:
    """Return the light record of a short run, made here."""
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

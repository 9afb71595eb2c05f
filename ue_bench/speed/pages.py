"""The report over ten thousand records: one real record, told again as other strategies, budgets and seeds."""

import os
import random
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from ue_bench.config import RunConfig
from ue_bench.record import Record, write
from ue_bench.speed.line import Claim, Line
from ue_bench.strategies import STRATEGIES
from ue_bench.training.run_once import resolve, run_once

TITLE = "Report over 10,000 records"
SEEDS, LIMIT = 25, 30.0  # seconds
STUDY = "table_size"


def measure(quick: bool) -> Iterator[Line]:
    """One line: processor time of `ue-bench report`, which its time on a machine with nothing else to do is close to."""
    with tempfile.TemporaryDirectory(prefix="ue_bench-speed-") as folder:
        results = Path(folder) / "results"
        count = write_many(results, 4 if quick else SEEDS)
        before = os.times()
        command = [sys.executable, "-m", "ue_bench", "report", "--results", str(results)]
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL)  # nosec B603 # our own words, no shell
        after = os.times()
    seconds = (
        after.children_user + after.children_system - before.children_user - before.children_system
    )
    yield Line(
        f"{count:,} records",
        seconds,
        "s",
        {},
        (Claim(seconds / LIMIT, f"x {LIMIT:g} s", "<= 1"),),
        "time of the processor",
    )


def write_many(results: Path, seeds: int) -> int:
    """Write records of all strategies that have a budget, in all forms, at ten budgets; return their number."""
    like = resolve(RunConfig(dataset="planted-noise", strategy="unified", budget=20_000, epochs=1))
    template, noise, count = run_once(like, study=STUDY, phase="grid"), random.Random(0), 0
    for name, entry in STRATEGIES.items():
        for regions in entry.regions:
            for size in range(10):
                for seed in range(seeds):
                    asked = resolve(
                        replace(
                            like, strategy=name, regions=regions, budget=1_000 * 2**size
                        ).with_seed(seed)
                    )
                    write(
                        _told_again(template, asked, 1 + 0.1 / (size + 1) + noise.gauss(0, 0.01)),
                        results,
                    )
                    count += 1
    return count


def _told_again(template: Record, asked: RunConfig, scale: float) -> Record:
    quality = {
        name: value * scale if name.endswith("_mse") else value
        for name, value in template.quality.items()
    }
    found = template.found | {"exact_table_bytes": 1_024_000}
    return replace(template, run_id=asked.run_id, config=asked, quality=quality, found=found)

"""A study from Python: make the runs that are missing, and return the runs as a table."""

from collections.abc import Collection
from os import PathLike
from pathlib import Path

import polars as pl

from ue_bench.progress import note
from ue_bench.record.frame import records
from ue_bench.strategies import load_plugins
from ue_bench.study.by_name import canonical, find
from ue_bench.study.local_executor import LocalExecutor
from ue_bench.study.plan import Plan
from ue_bench.study.unplaced import unplaced


def run_study(
    name: str,
    results: str | PathLike[str] = "results/local",
    *,
    workers: int = 1,
    quick: bool = False,
    only: Collection[str] = (),
    seed: int = 0,
    plugins: Collection[str | PathLike[str]] = (),
    data_dir: str | PathLike[str] | None = None,
) -> pl.DataFrame:
    """Make the runs of a study that are missing, and return its runs: `ue_bench.records` of it.

    name: of a study of the package, or the path of a Python file with a `STUDY`. workers: runs at a
    time. quick: the study's short form. only: the strategies whose runs are made. seed: the first
    of the study's. plugins: files with strategies, loaded before the study. data_dir: the folder of
    the data set's files.

    In a program of its own, call it below ``if __name__ == "__main__":``, since workers start new
    processes. Runs that fail have records that say so, in the column `status`. Raises BenchError as
    `ue-bench study` does.
    """
    files = [Path(path) for path in plugins]
    added = load_plugins(files)
    plan = Plan(
        canonical(name),
        find(name),
        seed=seed,
        quick=quick,
        only=only,
        data_dir=None if data_dir is None else Path(data_dir),
    )
    for line in unplaced(plan.name, plan.parts, added):
        note(line)
    LocalExecutor(plan, Path(results), workers=workers, plugins=files).run()
    return records(results, plan.name)

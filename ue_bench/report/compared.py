"""Two strategies or arms of a results folder compared, as a table."""

from os import PathLike
from pathlib import Path

import polars as pl

from ue_bench.record import load_runs
from ue_bench.report.evidence import compare as evidence
from ue_bench.report.evidence.across_studies import as_one_study


def compare(
    one: str,
    other: str,
    results: str | PathLike[str],
    study: str | None = None,
    *,
    size: str = "budget",
    across: bool = False,
) -> pl.DataFrame:
    """Return one row for each comparison and budget at which both have runs.

    `difference` is the MSE of `one` less that of `other`, with its 95 % interval (`low`, `high`);
    `p_holm` is corrected over the rows of one study that have an interval, and `verdict` says
    whether `one` is better, worse or not told apart. The columns are those of
    `ue-bench compare --json`.

    one, other: strategies, or labels of arms as in the report: ``unified 2×8``.
    size: `budget`, or `dictionary` and `key-free` for all bytes with the vocabulary.
    across: whether arms of different studies meet, where they are comparable.

    Raises BenchError for a folder that does not exist, and for a name that no record has.
    """
    records, _ = load_runs(Path(results), study)
    if across:
        records = as_one_study(records)
    rows = evidence.compare(records, one, other, size)
    return pl.DataFrame(rows, infer_schema_length=None, strict=False)

"""The runs of a results folder as a table: one row each."""

import json
from collections.abc import Iterable, Mapping
from os import PathLike
from pathlib import Path
from typing import Any

import polars as pl

from ue_bench.config import SEEDS
from ue_bench.errors import BenchError
from ue_bench.record.record import Record
from ue_bench.record.store import load_runs

# Of the narrow table: name and type of each column that is a field of a run's configuration.
_ASKED: Mapping[str, Any] = {
    "dataset": pl.String,
    "features": pl.String,
    "split": pl.String,
    "task": pl.String,
    "head": pl.String,
    "strategy": pl.String,
    "regions": pl.String,
    "region_rule": pl.String,
    "bits": pl.String,
    "lookups": pl.String,
    "dim": pl.Int64,
    "budget": pl.Int64,
}
_SCORES = ("val_mse", "test_mse", "best_epoch")
_BYTES = ("table_bytes", "auxiliary_bytes", "vocabulary_bytes", "total_bytes", "head_bytes")


def records(
    results: str | PathLike[str], study: str | None = None, *, wide: bool = False
) -> pl.DataFrame:
    """Return the runs of a results folder, or of one study in it, one row each, sorted by id.

    Columns: the id, study, phase and status of a run, what was asked of its strategy and data, its
    seed where its four seeds are equal, its pooled scores, bytes, and seconds of training. Null is
    what a run does not have. wide: all that a record holds as one number or text instead, in
    columns such as `config.lr`, `quality.val_mse` and `cost.total_bytes`, and null where it is
    something else.

    Raises BenchError for a folder that does not exist. Files that are no record are left out.
    """
    found, _ = load_runs(Path(results), study)
    if wide:
        return _wide(found)
    schema: dict[str, Any] = dict.fromkeys(("run_id", "study", "phase", "status"), pl.String)
    schema |= {**_ASKED, "seed": pl.Int64}
    schema |= dict.fromkeys(_SCORES, pl.Float64) | dict.fromkeys(_BYTES, pl.Int64)
    schema["train_seconds"] = pl.Float64
    return pl.DataFrame([_row(record) for record in found], schema=schema, orient="row")


def _row(record: Record) -> dict[str, Any]:
    row: dict[str, Any] = {
        name: getattr(record, name) for name in ("run_id", "study", "phase", "status")
    }
    for name in _ASKED:
        value = getattr(record.config, name)
        row[name] = json.dumps(value) if isinstance(value, dict) else value
    row["dim"] = record.found.get("dim", record.config.dim)
    row["lookups"] = str(row["lookups"])
    seeds = {getattr(record.config, name) for name in SEEDS}
    row["seed"] = seeds.pop() if len(seeds) == 1 else None
    for name in _SCORES:
        row[name] = record.quality.get(name)
    for name in (*_BYTES, "train_seconds"):
        row[name] = record.cost.get(name)
    return row


def _wide(found: Iterable[Record]) -> pl.DataFrame:
    rows = []
    for record in found:
        content = json.loads(record.to_json())
        row = {}
        for name, value in content.items():
            if isinstance(value, dict):
                inner = {f"{name}.{key}": _plain(one) for key, one in value.items()}
                row.update(inner)
            else:
                row[name] = _plain(value)
        rows.append(row)
    try:
        return pl.DataFrame(rows, infer_schema_length=None, strict=False)
    except pl.exceptions.PolarsError as error:  # an edited record may hold numbers too large
        raise BenchError(f"the records make no table ({error}); leave wide out") from error


def _plain(value: Any) -> Any:
    """Return a number, a truth or a text; null for anything else."""
    return value if isinstance(value, (int, float, str, bool)) else None

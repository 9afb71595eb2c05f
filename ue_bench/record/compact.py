"""The little of a record that comparing its run needs, for files that come with a package.

What was asked, pooled scores, the predictors to beat, bytes, median latencies and what the data is
like stay, and of a trial its validation scores. Histories, scores of parts of the rows, and the
environment go: a test that needs them, the bootstrap over users of splits by time, needs the whole
record.
"""

import math
from dataclasses import replace
from typing import Any

from ue_bench.record.record import Record
from ue_bench.record.world_facts import WORLD, facts_of

_FOUND = (
    "bits",
    "cardinalities",
    "checksum",
    "dim",
    "exact_table_bytes",
    "kind",
    "lookups",
    "method",
    "n_rows",
    "n_seen",
    "rank",
    "rows_checksum",
    "setting",
    "source",
    "trial",
    "width",
)
_BATCH = 256  # rows of the lookup whose latency is quoted
_MEASURES = ("mse", "auc", "log_loss")


def compact(record: Record) -> Record:
    """Return the record without what no comparison of pooled scores needs."""
    quality: dict[str, Any] = {}
    if record.quality:
        is_trial = record.phase == "search"
        parts = ("val",) if is_trial else ("val", "test")
        anchors = {} if is_trial else record.quality["anchors"]
        quality = {"test_mse": None, "best_epoch": record.quality["best_epoch"], "history": []}
        quality |= _scores(record.quality, parts)
        quality["anchors"] = {name: _scores(anchors[name], parts) for name in anchors}
    cost: dict[str, Any] = {}
    for name, value in record.cost.items():
        if name.endswith("_bytes") or name == "train_seconds":
            cost[name] = value
    timings = [one for one in record.cost.get("latency") or () if one.get("batch") == _BATCH]
    if timings:
        cost["latency"] = timings
    found = {name: record.found[name] for name in _FOUND if name in record.found}
    if quality and record.phase != "search":
        found[WORLD] = _known(facts_of(record))
    return replace(record, found=found, quality=quality, cost=cost, env={})


def _known(facts: dict[str, float]) -> dict[str, float]:
    """Return the facts that the record tells: a file has no NaN."""
    return {name: value for name, value in facts.items() if not math.isnan(value)}


def _scores(quality: dict[str, Any], parts: tuple[str, ...]) -> dict[str, Any]:
    names = [f"{part}_{measure}" for part in parts for measure in _MEASURES]
    return {name: quality[name] for name in names if name in quality}

"""What the data of a run is like, in the few numbers by which two data sets are alike or not."""

import math
from collections.abc import Mapping, Sequence
from typing import Any

from ue_bench.record.record import Record

FEW = 10  # a value that training has seen less often is rare
WORLD = "world"  # the field of `found` with these facts, in a compact record


def facts_of(run: Record) -> dict[str, float]:
    """Return what a run's record says of its data: how much training has of each value.

    A fact that the record does not give is NaN.

    rows: of training. features. values: distinct ones that training has seen. rows_a_value: means
    over the values of all features. unseen, rare: shares of the scored rows with a value that
    training has not seen, and whose rarest value it has seen less than `FEW` times; by tenths.
    """
    n_seen = run.found.get("n_seen", {})
    n_rows = run.found.get("n_rows", {}).get("train", math.nan)
    rarity = run.quality.get("rarity", {})
    n_values = sum(n_seen.values())
    facts = {
        "rows": n_rows,
        "features": len(n_seen) or math.nan,
        "values": n_values or math.nan,
        "rows_a_value": n_rows * len(n_seen) / n_values if n_values else math.nan,
        "unseen": _unseen(rarity.get("unseen", {})),
        "rare": _rare(rarity.get("deciles", ())),
    }
    if WORLD in run.found:
        return dict.fromkeys(facts, math.nan) | run.found[WORLD]
    return facts


def _unseen(slices: Mapping[str, Mapping[str, Any]]) -> float:
    n_rows = sum(of_slice["n"] for of_slice in slices.values())
    if not n_rows:
        return math.nan
    return 1 - slices.get("0", {"n": 0})["n"] / n_rows


def _rare(deciles: Sequence[Mapping[str, Any]]) -> float:
    n_rows = sum(decile["n"] for decile in deciles)
    if not n_rows:
        return math.nan
    return sum(decile["n"] for decile in deciles if decile["most"] < FEW) / n_rows

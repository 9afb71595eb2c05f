"""Which arms of two strategies meet: those at one budget, or at no more bytes in all."""

from collections.abc import Iterator
from typing import Any

import pandas as pd

from ue_bench.report.evidence.frames import groups, records
from ue_bench.report.evidence.summary import SCOPE
from ue_bench.report.format import missing

BUDGET = "budget"
# What a comparison at equal bytes counts, by its name: the column of the summary.
SIZES = {BUDGET: "budget", "dictionary": "total_bytes", "key-free": "total_floor_bytes"}

Row = dict[str, Any]


def meetings(own: pd.DataFrame, rival: pd.DataFrame, size: str) -> Iterator[tuple[Row, Row]]:
    """Yield the pairs of rows of one comparison that are compared.

    size: a name of `SIZES`. At one `budget`, an arm without one meets all. In all bytes, each arm
    of `own` meets the rival that is best on validation among those that take no more bytes.
    """
    rivals = dict(groups(rival, SCOPE))
    for scope, part in groups(own, SCOPE):
        if scope not in rivals:
            continue
        ordered = records(rivals[scope].sort_values("budget", kind="stable"))
        for mine in records(part.sort_values(SIZES[size], kind="stable")):
            others = [theirs for theirs in ordered if theirs["label"] != mine["label"]]
            if size == BUDGET:
                met = [theirs for theirs in others if _at_one_budget(mine, theirs)]
            else:
                met = _best_of_no_more(mine, others, SIZES[size])
            for theirs in met:
                yield mine, theirs


def _at_one_budget(mine: Row, theirs: Row) -> bool:
    if missing(mine["budget"]) or missing(theirs["budget"]):
        return True
    return bool(mine["budget"] == theirs["budget"])


def _best_of_no_more(mine: Row, others: list[Row], column: str) -> list[Row]:
    """Return the one that is best on validation of those that take no more bytes, if any do."""
    small = []
    for theirs in others:
        sizes = theirs[column], mine[column]
        if not any(map(missing, sizes)) and sizes[0] <= sizes[1]:
            small.append(theirs)
    return sorted(small, key=lambda row: (row["val_mse_mean"], row["label"]))[:1]

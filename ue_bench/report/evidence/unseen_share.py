"""How much of a difference between two arms lies in rows with values that training has not seen."""

from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

from ue_bench.record import Record
from ue_bench.report.evidence.arms import Arm, seeds_of

SEEN = "0"  # the slice of rows without unseen values


class UnseenShare(NamedTuple):
    """Where a difference lies.

    rows: the share of the scored rows that have an unseen value.
    difference: the share of the difference of the summed squared errors that lies in these rows.
        It is negative where the two differ the other way there, and above 1 where they do in the
        other rows.
    """

    rows: float
    difference: float


class _Sums(NamedTuple):
    """Rows, and means over runs of their summed squared errors."""

    rows: float
    unseen_rows: float
    errors: float
    unseen_errors: float


def unseen_share(own: Arm, other: Arm) -> UnseenShare | None:
    """Return where the difference of two arms lies, over their common seeds if they have some.

    None where a run has no scores by unseen values, as records of earlier versions, and where the
    two have equal errors.
    """
    common = set(map(seeds_of, own.runs)) & set(map(seeds_of, other.runs))
    sums = []
    for arm in (own, other):
        runs = [run for run in arm.runs if not common or seeds_of(run) in common]
        sums.append(_sums(runs))
    if sums[0] is None or sums[1] is None:
        return None
    difference = sums[0].errors - sums[1].errors
    if difference == 0 or sums[0].rows == 0:
        return None
    return UnseenShare(
        rows=sums[0].unseen_rows / sums[0].rows,
        difference=(sums[0].unseen_errors - sums[1].unseen_errors) / difference,
    )


def _sums(runs: Iterable[Record]) -> _Sums | None:
    """Return the means over runs; None where there is no run, or one without the slices."""
    totals = []
    for run in runs:
        slices = run.quality.get("rarity", {}).get("unseen")
        if not slices:
            return None
        rows = unseen_rows = 0
        errors = unseen_errors = 0.0
        for name, of_slice in slices.items():
            squares = of_slice["n"] * (of_slice["mse"] or 0.0)
            rows += of_slice["n"]
            errors += squares
            if name != SEEN:
                unseen_rows += of_slice["n"]
                unseen_errors += squares
        totals.append((rows, unseen_rows, errors, unseen_errors))
    if not totals:
        return None
    means = [sum(column) / len(totals) for column in zip(*totals, strict=True)]
    return _Sums(*means)


def share_columns(share: UnseenShare | None) -> dict[str, float | None]:
    """Return the columns of a comparison that say where its difference lies."""
    if share is None:
        return {"unseen_rows": None, "unseen_share": None}
    return {"unseen_rows": share.rows, "unseen_share": share.difference}


def share_text(row: Mapping[Any, Any]) -> str:
    """Return the columns in words: `62 % of it in the 39 % of rows with unseen values`."""
    rows = f"{_percent(row['unseen_rows'])} of rows with unseen values"
    return f"{_percent(row['unseen_share'])} of it in the {rows}"


def _percent(share: float) -> str:
    percent = 100 * share
    digits = 1 if 0 < abs(percent) < 1 else 0
    return f"{percent:.{digits}f} %"

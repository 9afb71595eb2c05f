"""Which earlier verdicts stood, flipped or can be told no more: sentences and a table."""

from collections.abc import Sequence

from ue_bench.report.evidence.comparison import Comparison
from ue_bench.report.evidence.earlier_verdicts import (
    FATES,
    FLIPPED,
    GAINED,
    GONE,
    LOST,
    STILL,
    STOOD,
    Fate,
    Outcome,
    counts,
)
from ue_bench.report.format import NOTHING, bytes_text, delta_text, missing, plain


def lines(found: Sequence[Fate]) -> list[str]:
    """Return what became of the verdicts of one study; nothing where it had none.

    The table has those that are other verdicts now, the flipped ones first.
    """
    if not found:
        return []
    n = counts(found)
    decided = n[STOOD] + n[FLIPPED] + n[LOST]
    text = (
        f"Of {len(found)} earlier verdicts, {decided} said better or worse and were measured "
        f"again: {n[STOOD]} stood, {n[FLIPPED]} flipped, {n[LOST]} cannot be told now. "
        f"{n[STILL] + n[GAINED]} could not tell: {n[STILL]} still cannot, {n[GAINED]} can now."
    )
    if n[GONE]:
        text += f" {n[GONE]} were not measured again."
    changed = [fate for fate in found if fate.fate in (FLIPPED, LOST, GAINED)]
    if not changed:
        return [text]
    table = [
        text,
        "",
        "| comparison | budget | arms | earlier | now | |",
        "|---|--:|---|---|---|---|",
    ]
    for fate in sorted(changed, key=lambda fate: FATES.index(fate.fate)):
        table.append(_row(fate))
    return table


def _row(fate: Fate) -> str:
    earlier = fate.earlier
    shown = Comparison(*map(plain, earlier.comparison))
    cells = [
        shown.title,
        bytes_text(earlier.budget),
        f"{plain(earlier.one)} against {plain(earlier.other)}",
        _outcome(earlier.outcome),
        _outcome(fate.now),
        fate.fate,
    ]
    return f"| {' | '.join(cells)} |"


def _outcome(outcome: Outcome | None) -> str:
    """Return a verdict with its difference, such as `better, -0.0150 [-0.0205, -0.0095]`."""
    if outcome is None or missing(outcome.difference):
        return NOTHING
    delta = delta_text(outcome.difference, outcome.low, outcome.high)
    return f"{outcome.verdict}, {delta}"

"""What the report leaves out, and why: nothing disappears silently."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence

import pandas as pd

from ue_bench.record import Record
from ue_bench.report.evidence.arms import Arms
from ue_bench.report.evidence.frames import rows
from ue_bench.report.evidence.summary import panel
from ue_bench.report.format import bytes_text, plain


def lines(arms: Arms, summary: pd.DataFrame, skipped: Sequence[str]) -> list[str]:
    """Markdown bullets."""
    small = [record for record in arms.failed if record.status == "infeasible"]
    trials = sum(record.phase == "search" for record in small)
    failed = Counter(
        f"{record.study} / {_oneline(record.error)}"
        for record in arms.failed
        if record not in small
    )
    cannot = _cannot([record for record in small if record.phase != "search"])
    uneven = [*arms.uneven] or ["none"]
    return [
        *_listed(
            f"Refused arms (other rows, recipe or seeds than the rest): {len(arms.refused)}",
            arms.refused,
        ),
        *_listed("Cannot work at this budget, an answer rather than a failure", cannot or ["none"]),
        *_listed(
            f"Failed runs: {failed.total()}", [f"{text} ({n}x)" for text, n in failed.most_common()]
        ),
        *_listed("Arms with fewer seeds than the others", _few_seeds(summary)),
        *(_listed("Compared although not searched like the rest", uneven) if arms.search else []),
        f"- Search trials, which choose and are never quoted: {len(arms.search)}"
        + (f"; a further {trials} had a knob that cannot work at their budget" if trials else ""),
        *(
            [
                f"- Runs with some of their seeds held, which are no replicates and in no mean: {len(arms.held)}"
            ]
            if arms.held
            else []
        ),
        *_listed(f"Files that are no valid record: {len(skipped)}", skipped),
    ]


def _cannot(records: Iterable[Record]) -> list[str]:
    """One line a study, feature set, strategy and form: its budgets with how many runs each."""
    counts: dict[tuple[str, ...], Counter[int]] = defaultdict(Counter)
    for record in records:
        config = record.config
        form = f"{config.strategy} {config.regions or ''}".strip()
        counts[record.study, config.features, form][config.budget or 0] += 1
    return [
        f"{study} / {features}: {form} at "
        + ", ".join(f"{bytes_text(size)} ({own[size]} runs)" for size in sorted(own))
        for (study, features, form), own in sorted(counts.items())
    ]


def _few_seeds(summary: pd.DataFrame) -> list[str]:
    few = summary[(summary["n"] > 0) & (summary["n"] < summary["n_most"])]
    few = few.assign(where=panel(few))
    return [
        f"{row.where}: {row.label}, {bytes_text(row.budget)}: n={row.n} of {row.n_most}"
        for row in rows(few)
    ] or ["none"]


def _listed(title: str, lines: Iterable[str], most: int = 50) -> list[str]:
    lines = list(lines)
    more = [f"  - and {len(lines) - most} more"] if len(lines) > most else []
    return [f"- {title}", *(f"  - {plain(_oneline(line))}" for line in lines[:most]), *more]


def _oneline(text: str | None) -> str:
    return " ".join((text or "no message").split())

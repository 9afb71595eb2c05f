"""What the authors of each method say that it reaches, beside what this study found of it."""

from collections.abc import Mapping
from typing import Any

import pandas as pd

from ue_bench.report.evidence.comparison import Comparison
from ue_bench.report.evidence.frames import groups, rows
from ue_bench.report.evidence.statistics import family_text
from ue_bench.report.evidence.summary import SCOPE
from ue_bench.report.format import NOTHING, delta_text, plain, size_text

_MARK = {True: "", False: " ="}


def authors_claims(frame: pd.DataFrame, claims: Mapping[str, str]) -> list[str]:
    """Return a table for each comparison; nothing where no strategy with a claim was measured.

    frame: that of `against_exact`. claims: one clause a strategy.
    """
    claimed = frame[frame["strategy"].isin(list(claims))]
    lines = []
    for comparison, part in groups(claimed, SCOPE):
        title = Comparison(*map(plain, comparison)).title
        lines += [*_table(title, part, claims), ""]
    if not lines:
        return []
    tests = int(frame["tests"].max())
    methods = " or ".join(sorted(frame["interval_by"].unique()))
    what = "each strategy at each size less exact rows, those without a claim too"
    return [
        *lines,
        "= stands where the two are not told apart, which does not say that they are equal. "
        f"{family_text(tests, what)} Intervals are 95 %: {methods}.",
    ]


def _table(title: str, part: pd.DataFrame, claims: Mapping[str, str]) -> list[str]:
    sizes = {}
    apart = []
    for budget, at_budget in groups(part, "budget"):
        sizes[budget] = size_text(budget, at_budget["exact_table_bytes"].max())
        n_apart = int(at_budget["told_apart"].sum())
        apart.append(f"{n_apart} of {len(at_budget)} at {sizes[budget]}")
    lines = [
        f"Told apart from exact rows: {', '.join(apart)}.",
        "",
        f"{title}: MSE less that of {plain(part['exact'].iloc[0])}, which keeps no budget:",
        "",
        f"| strategy | its authors | {' | '.join(sizes.values())} |",
        f"|---|---|{'---|' * len(sizes)}",
    ]
    for strategy, own in groups(part, "strategy"):
        found = {row.budget: _cell(row) for row in rows(own)}
        cells = [plain(strategy), claims[strategy]]
        cells += [found.get(budget, NOTHING) for budget in sizes]
        lines.append(f"| {' | '.join(cells)} |")
    return lines


def _cell(row: Any) -> str:
    return delta_text(row.difference, row.low, row.high) + _MARK[bool(row.told_apart)]

"""The answer in a few sentences, made from the verdicts: who wins at each size, and what cannot be told apart."""

from collections import Counter

import pandas as pd

from ue_bench.report.evidence.frames import groups, rows
from ue_bench.report.evidence.summary import SCOPE, panel, score
from ue_bench.report.evidence.verdict import front
from ue_bench.report.format import bytes_text, code, interval_text, mse_text, p_text, ratio_text


def sentences(summary: pd.DataFrame, verdicts: pd.DataFrame) -> list[str]:
    """Markdown lines: a headline over all budgets, then a bullet a budget of each comparison, and the arms without one."""
    scored = score(summary)
    if scored.empty:
        return ["No arm has a measured MSE, so there is no answer."]
    lines: list[str | None] = [_headline(verdicts), ""] if len(verdicts) else []
    cells = dict(groups(verdicts, SCOPE))
    for key, part in groups(scored, SCOPE):
        lines += [f"**{panel(part).iloc[0]}** (study {code(key[0])})", ""]
        if key in cells:
            unit = (
                part["exact_table_bytes"].mode().iloc[0]
            )  # found allocations of lookups differ a little
            lines += [
                _cell(cell, unit, part["part"].iloc[0]) for _, cell in groups(cells[key], "budget")
            ]
        lines += [_unbudgeted(part), _front(part), _bias(part), ""]
    return [line for line in lines if line is not None]


def _headline(verdicts: pd.DataFrame) -> str:
    cells = [cell for _, cell in groups(verdicts, [*SCOPE, "budget"])]
    rivals = [cell for cell in cells if cell["group"].nunique() > 1]
    if not rivals:
        return "At no budget is there more than one strategy; the variants of the one are compared."
    alone = Counter(
        cell["best_group"].iloc[0] for cell in rivals if cell["told_apart"].sum() == len(cell) - 1
    )
    lowest = Counter(cell["best_group"].iloc[0] for cell in rivals)
    told = [
        f"{group} has the lowest mean in {n} and is told apart from every other in {alone[group]}"
        for group, n in sorted(lowest.items())
    ]
    of = f"Strategies meet at {len(rivals)} budget{'s' if len(rivals) > 1 else ''}"
    how = "each with its variant that is best on validation"
    return f"{of}, {how}: {'; '.join(told)} (paired over seeds, Holm-corrected, 5 %)."


def _cell(cell: pd.DataFrame, unit: object, part: str) -> str:
    best = cell.iloc[0]
    of = ratio_text(best["budget"], unit)
    text = f"- {bytes_text(best['budget'])} ({of}): **{best['label']}** has the lowest {part} MSE, "
    text += f"{interval_text(best['mse'], best['low'], best['high'])} (n={best['n']})"
    others = cell.iloc[1:]
    worse = [
        f"{_named(row)} by {row.difference:.4f} (p {p_text(row.p_holm)})"
        for row in rows(others[others["told_apart"]])
    ]
    weak = others[~others["told_apart"]]
    tied = [_named(row) for row in rows(weak[weak["n"] > 1])]
    unsure = [_named(row) for row in rows(weak[weak["n"] <= 1])]
    text += f"; worse: {_join(worse)}" if worse else ""
    text += f"; cannot be told apart from it: {_join(tied)}" if tied else ""
    text += f"; too few common seeds to tell: {_join(unsure)}" if unsure else ""
    return text + "."


def _named(row) -> str:
    return f"{row.label} {interval_text(row.mse, row.low, row.high)}"


def _join(texts: list[str], most: int = 6) -> str:
    more = f", and {len(texts) - most} more" if len(texts) > most else ""
    return ", ".join(texts[:most]) + more


def _unbudgeted(part: pd.DataFrame) -> str | None:
    free = part[part["budget"].isna()].sort_values(["mse", "label"], kind="stable")
    told = [
        f"{row.label} {interval_text(row.mse, row.low, row.high)} in {bytes_text(row.total_bytes)} "
        f"({bytes_text(row.vocabulary_bytes)} of it vocabulary)"
        for row in rows(free)
    ]
    return f"- without a budget: {_join(told)}." if told else None


def _front(part: pd.DataFrame) -> str | None:
    sized = part[part["total_bytes"].notna()]
    edge = sized[front(sized)].sort_values("total_bytes")
    told = [
        f"{row.label} {mse_text(row.mse)} in {bytes_text(row.total_bytes)}" for row in rows(edge)
    ]
    return (
        f"- by total bytes, vocabulary included, none is smaller and better than: {_join(told, 12)}."
        if told
        else None
    )


def _bias(part: pd.DataFrame) -> str | None:
    known = part["anchor_bias"].mean()
    if pd.isna(known):
        return None
    n = int(part["beats_bias"].eq(False).sum())
    return f"- the user and item bias model has {mse_text(known)}: {n} of {len(part)} arms are not better (marked ▽)."

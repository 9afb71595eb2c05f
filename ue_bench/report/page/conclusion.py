"""The whole answer of a study, budget by budget: whom validation names, which may be the best, and
which are worse."""

from collections.abc import Iterator, Sequence
from typing import Any

import pandas as pd

from ue_bench.report.evidence.frames import groups, rows
from ue_bench.report.evidence.interval_method import NO_INTERVAL
from ue_bench.report.evidence.statistics import family_text
from ue_bench.report.evidence.summary import SCOPE, TOTALS, score
from ue_bench.report.evidence.unseen_share import share_text
from ue_bench.report.evidence.verdict import FAMILY, front_of_bytes
from ue_bench.report.format import (
    bytes_text,
    code,
    interval_text,
    missing,
    mse_text,
    p_text,
    ratio_text,
)
from ue_bench.report.page.abstract import NO_ANSWER
from ue_bench.report.page.cells import STRONG_ANCHORS, full_title, in_short
from ue_bench.report.page.contests import STRESS, competition, headlined

MOST = 6  # arms that one sentence lists
MOST_ON_FRONT = 12


def sentences(summary: pd.DataFrame, verdicts: pd.DataFrame) -> list[str]:
    """Markdown lines: a headline over all budgets, then for each comparison one item a budget."""
    scored = score(summary)
    if scored.empty:
        return [NO_ANSWER]
    short = in_short(scored)
    verdicts = _renamed(verdicts, scored, short)
    scored["label"] = short
    lines = []
    if len(verdicts):
        lines += [_headline(verdicts, scored), ""]
    by_scope = dict(groups(verdicts, SCOPE))
    for scope, part in groups(scored, SCOPE):
        lines += [f"**{full_title(part)}**", ""]
        if scope in by_scope:
            # the most common size: arms with other lookups differ a little
            exact_bytes = part["exact_table_bytes"].mode().iloc[0]
            for _, budget_rows in groups(by_scope[scope], "budget"):
                lines.append(_budget(budget_rows, exact_bytes, part["part"].iloc[0]))
        tables = part[~part["is_anchor"]]
        lines += [*_unlimited(tables), *_anchor_arms(part), *_fronts(part), *_anchors(tables), ""]
    return lines


def _renamed(verdicts: pd.DataFrame, scored: pd.DataFrame, short: pd.Series) -> pd.DataFrame:
    """The verdicts with the short names of their arms."""
    where = [*SCOPE, "budget"]
    arms = scored[[*where, "label"]].assign(short=short)
    renamed = verdicts
    for column in ("label", "named"):
        known = arms.rename(columns={"label": column})
        merged = renamed.merge(known, on=[*where, column], how="left")
        renamed = merged.assign(**{column: merged["short"]}).drop(columns="short")
    return renamed


def _headline(verdicts: pd.DataFrame, scored: pd.DataFrame) -> str:
    arms, headline = headlined(scored, verdicts)
    competing = competition(headline, arms, "group")
    n_budgets = len(competing.contests)
    if not n_budgets:
        text = "No budget has more than one strategy, so the variants of one strategy are compared."
        return f"{text} {_families(verdicts)}".strip()
    budgets = "1 budget" if n_budgets == 1 else f"{n_budgets} budgets"
    alone_counts = competing.alone_counts()
    clauses = []
    by_count = sorted(competing.named_counts().items(), key=lambda count: (-count[1], count[0]))
    for group, n in by_count:
        alone = alone_counts[group]
        clauses.append(
            f"{group} at {n}" + (f" (alone in the set of the best at {alone})" if alone else "")
        )
    if not competing.decided and any(contest.is_known for contest in competing.contests):
        clauses.append("none alone in the set of the best")
    where = ""
    if len(headline) < len(verdicts):
        where = f" of other features than {STRESS}, which is a stress of rare values"
    return (
        f"Strategies are compared at {budgets}{where}, each in its variant that is best on "
        "validation. "
        f"Validation names {', '.join(clauses)} (multiple comparison with the best on test, "
        f"95 % a budget; {competing.methods()}). {_families(verdicts)}"
    ).strip()


def _families(verdicts: pd.DataFrame) -> str:
    """What Holm's corrections are over."""
    texts = []
    for (study, phase), part in groups(verdicts, FAMILY):
        tests = int(part["tests"].iloc[0])
        if not tests:
            continue
        runs = "grids" if phase != "confirm" else "confirmed searches"
        what = "all others against the one that validation names, at all budgets of the "
        texts.append(family_text(tests, f"{what}{runs} of {code(study)}"))
    return " ".join(texts)


def _budget(budget_rows: pd.DataFrame, exact_bytes: object, part: str) -> str:
    """One budget: the named arm, the set of the best, and which others are told apart from it."""
    named, *rivals = rows(budget_rows)
    fraction = ratio_text(named.budget, exact_bytes)
    mse = interval_text(named.mse, named.low, named.high)
    text = f"- {bytes_text(named.budget)} ({fraction}): validation names **{named.label}**, "
    text += f"{part} MSE {mse} (n={named.n})"
    if not rivals:
        return f"{text}."
    best = []
    told_apart: list[str] = []
    others = []
    unjudged = []
    for row in rivals:
        name = f"{row.label} {interval_text(row.mse, row.low, row.high)}"
        if row.n < named.n:
            name += f" (n={row.n})"
        if row.among_best is None:
            unjudged.append(name)
        elif row.among_best:
            best.append(f"{name}, at most {row.most_behind:.4f} behind the best")
        elif row.told_apart:
            name += f" by {row.difference:.4f}"
            if not told_apart and not missing(row.unseen_share) and row.unseen_rows:
                name += f", {share_text(row._asdict())}"
            told_apart.append(f"{name} (p {p_text(row.p_holm)})")
        else:
            others.append(f"{name} by {row.difference:.4f}")
    text += _set_text(named, best)
    if told_apart:
        text += f"; told apart from it: {_listed(told_apart)}"
    if others:
        text += f"; not in the set, and not told apart from it by Holm's p: {_listed(others)}"
    if unjudged:
        reason = "too few common seeds"
        if named.interval_by.startswith(NO_INTERVAL):
            reason = named.interval_by
        text += f"; not judged ({reason}): {_listed(unjudged)}"
    return f"{text}."


def _set_text(named: Any, best: Sequence[str]) -> str:
    """The set of the best beside the named one."""
    if named.among_best is None:
        return ""
    if not named.among_best:
        return f"; it is not in the set of the best: {_listed(best)}"
    if not best:
        return "; it is alone in the set of the best"
    within = f"at most {named.most_behind:.4f} behind the best"
    return f", {within}; in the set of the best with {_listed(best)}"


def _listed(texts: Sequence[str], most: int = MOST) -> str:
    text = ", ".join(texts[:most])
    if len(texts) > most:
        text += f", and {len(texts) - most} more"
    return text


def _unlimited(part: pd.DataFrame) -> Iterator[str]:
    """The arms without a budget."""
    arms = part[part["budget"].isna()].sort_values(["mse", "label"], kind="stable")
    texts = [_with_size(row) for row in rows(arms)]
    if texts:
        yield f"- without a budget: {_listed(texts)}."


def _anchor_arms(part: pd.DataFrame) -> Iterator[str]:
    """The anchors that are arms, by size."""
    arms = part[part["is_anchor"]].sort_values("total_bytes", kind="stable")
    texts = [_with_size(row) for row in rows(arms)]
    if texts:
        yield f"- anchors, which have no table, at their own bytes: {_listed(texts)}."


def _with_size(row: Any) -> str:
    """An arm with its MSE, its total and the part of that that is vocabulary."""
    mse = interval_text(row.mse, row.low, row.high)
    vocabulary = f"{bytes_text(row.vocabulary_bytes)} of it vocabulary"
    if not missing(row.total_floor_bytes):
        vocabulary += f", {bytes_text(row.total_floor_bytes)} without stored keys"
    return f"{row.label} {mse} in {bytes_text(row.total_bytes)} ({vocabulary})"


def _fronts(part: pd.DataFrame) -> Iterator[str]:
    """The Pareto fronts of MSE and of each total."""
    said = ""
    for total, vocabulary in TOTALS.items():
        sized = part[part[total].notna()]
        texts = []
        for row in rows(sized[front_of_bytes(sized, total)].sort_values(total)):
            texts.append(f"{row.label} {mse_text(row.mse)} in {bytes_text(getattr(row, total))}")
        arms = _listed(texts, MOST_ON_FRONT)
        if texts and arms != said:
            yield (
                f"- on the Pareto front of MSE and total bytes (vocabulary: {vocabulary}): {arms}."
            )
        said = arms


def _anchors(part: pd.DataFrame) -> Iterator[str]:
    """How many arms do not beat the bias model, and how many each predictor that is stronger."""
    bias = part["anchor_bias"].mean()
    if not pd.isna(bias):
        n = int(part["beats_bias"].eq(False).sum())
        yield (
            f"- the user and item bias model has {mse_text(bias)}: "
            f"{n} of {len(part)} arms are not better (marked ▽)."
        )
    for name, title in STRONG_ANCHORS.items():
        mse = part[f"anchor_{name}"].mean()
        if not pd.isna(mse):
            n = int((part["mse"] >= part[f"anchor_{name}"]).sum())
            yield f"- {title} has {mse_text(mse)}: {n} of {len(part)} arms are not better."

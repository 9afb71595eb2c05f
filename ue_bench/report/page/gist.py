"""The answer in three plain sentences: which strategy is best, who is among all of them, and what
needs no table. Intervals and conditions are told by the numbers that follow them."""

from collections import Counter

import pandas as pd

from ue_bench.report.evidence.board import Board
from ue_bench.report.evidence.summary import SCOPE, score
from ue_bench.report.format import bytes_text, listed, missing, mse_text
from ue_bench.report.page.abstract import NO_ANSWER, NO_RIVALS, why_unknown
from ue_bench.report.page.cells import ANCHOR_ROWS
from ue_bench.report.page.contests import Competition, competition, headlined
from ue_bench.report.page.limits import behind

MOST_SIZES = 3  # that one sentence lists
MOST_NAMED = 4  # strategies that it names


def gist(
    summary: pd.DataFrame,
    verdicts: pd.DataFrame,
    every_arm: pd.DataFrame,
    board: Board | None = None,
) -> list[str]:
    """Return at most three sentences in plain text.

    summary, verdicts: of the study that answers best. every_arm: the summary of the whole report.
    board: of the study in which all strategies compete.
    """
    scored = score(summary)
    lines = [headline(summary, verdicts)]
    if scored.empty:
        return lines
    if board is not None:
        lines.append(_of_all(board))
    else:
        lines += _without_limit(scored)
    return [*lines, *_without_a_table(score(every_arm))]


def headline(summary: pd.DataFrame, verdicts: pd.DataFrame) -> str:
    """Say of one study who is alone in the set of the best, and at how many sizes."""
    scored = score(summary)
    if scored.empty:
        return NO_ANSWER
    scored, verdicts = headlined(scored, verdicts)
    competing = competition(verdicts, scored, "group")
    if not competing.contests:
        competing = competition(verdicts, scored, "label")
    if not competing.contests:
        return NO_RIVALS
    datasets = list(scored["dataset"].unique())
    compared = sorted({row[competing.column] for each in competing.contests for row in each.rows})
    who = listed(compared) if len(compared) <= MOST_NAMED else f"{len(compared)} {competing.plural}"
    where = f"Study {scored['study'].iloc[0]} compares {who}"
    if len(datasets) == 1:
        where += f" on {datasets[0]}"
    n = len(competing.contests)
    n_unknown = sum(not contest.is_known for contest in competing.contests)
    if n_unknown == n:
        return f"{where}; which is best cannot be told: {why_unknown(competing)}."
    alone = competing.alone_counts()
    if not alone:
        text = f"none is shown to be the best {_at_any(n)}"
        return f"{where}; {text}, and {_preferred(competing, datasets)}."
    best = [f"{name} is the best {_at(count, n)}" for name, count in alone.most_common()]
    rest = n - alone.total()
    if rest:
        best.append(f"{_at(rest, n)} none is shown to be")
    return f"{where}: {listed(best)}."


def _at(count: int, n: int) -> str:
    """Return `at 6 of 7 sizes`, `at all 7 sizes` or `at the one size`."""
    if n == 1:
        return "at the one size"
    return f"at all {n} sizes" if count == n else f"at {count} of {n} sizes"


def _at_any(n: int) -> str:
    return "at the one size" if n == 1 else f"alone at any of {n} sizes"


def _preferred(competing: Competition, datasets: list[str]) -> str:
    """Say whom validation prefers at most sizes, of each data set."""
    clauses = []
    for dataset in datasets:
        named: Counter[str] = Counter()
        for contest in competing.contests:
            if contest.named["dataset"] == dataset:
                named[contest.named[competing.column]] += 1
        if named:
            name = min(named, key=lambda name: (-named[name], name))
            clauses.append(f"{name} on {dataset}" if len(datasets) > 1 else name)
    return f"validation prefers {listed(clauses)}"


def _of_all(board: Board) -> str:
    """Say which form has the lowest error at some sizes, and how many may be as good there."""
    firsts = []
    counts = []
    sizes = board.budgets
    if len(sizes) > MOST_SIZES:
        sizes = (sizes[0], sizes[len(sizes) // 2], sizes[-1])
    for budget in sizes:
        ranked = [each for each in board.standings if budget in each.sizes]
        first = min(ranked, key=lambda each: each.sizes[budget].rank)
        n_best = sum(each.sizes[budget].in_best is True for each in ranked)
        firsts.append(f"{first.form} at {bytes_text(budget)}")
        counts.append(n_best - (first.sizes[budget].in_best is True))
    n_forms = sum(bool(each.sizes) for each in board.standings)  # others keep to no size
    text = f"Of {n_forms} forms in study {board.comparison.study}, the lowest error is that of"
    text += f" {listed(firsts)}"
    if not any(counts):
        return f"{text}."
    return f"{text}; {listed([str(count) for count in counts])} more may be as good there."


def _without_limit(scored: pd.DataFrame) -> list[str]:
    """Say what the table without a byte limit reaches that validation prefers.

    Errors of several comparisons are of different data, so that none of them is the least.
    """
    tables = scored[~scored["is_anchor"] & scored["budget"].isna()]
    if tables.groupby(SCOPE, dropna=False).ngroups != 1:
        return []
    best = tables.sort_values(["val_mse_mean", "label"], kind="stable").iloc[0]
    measure = "an error" if scored["task"].nunique() > 1 else "an MSE"
    text = f"Without a byte limit, {best['label']} reaches {measure} of {mse_text(best['mse'])}"
    if missing(best["total_bytes"]):
        return [f"{text}."]
    return [f"{text} with {bytes_text(best['total_bytes'])}."]


def _without_a_table(scored: pd.DataFrame) -> list[str]:
    """Say how many arms models without any table are not worse than."""
    arms = scored[~scored["is_anchor"]]
    clauses = [(n, ANCHOR_ROWS[name]) for name, n in behind(arms).items()]
    if not clauses:
        return []
    weakest = clauses[0]
    strongest = max(clauses)
    text = f"{weakest[0]} of {len(arms)} arms do not beat the {weakest[1]}"
    if strongest != weakest:
        text += f", and {strongest[0]} do not beat {strongest[1]}"
    return [f"Before any table, try a plain model: {text}."]

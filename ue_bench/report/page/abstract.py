"""The answer of a study in three sentences: who wins by how much, who ties, and at what price."""

from typing import Any

import pandas as pd

from ue_bench.report.evidence.summary import score
from ue_bench.report.format import interval_text
from ue_bench.report.page.contests import Competition, Contest, competition
from ue_bench.report.page.price import contestants, price, range_text

NO_ANSWER = "No arm has a measured MSE, so there is no answer."
NO_RIVALS = "No two strategies have the same byte budget, so none can be called better."


def sentences(summary: pd.DataFrame, verdicts: pd.DataFrame) -> list[str]:
    """The answer in plain text; fewer than three sentences where there is no rival.

    Where a study has one strategy, its variants are the rivals.
    """
    scored = score(summary)
    if scored.empty:
        return [NO_ANSWER]
    competing = competition(verdicts, scored, "group")
    if not competing.contests:
        competing = competition(verdicts, scored, "label")
    if not competing.contests:
        return [NO_RIVALS, *price(scored)]
    part = " or ".join(scored["part"].unique())  # validation where the split has no test part
    arms = contestants(scored, verdicts)
    winner = _winner(competing, part) if competing.decided else _no_winner(competing, part)
    return [winner, _ties(competing), *price(arms, competing.leader(), competing.column)]


def _winner(competing: Competition, part: str) -> str:
    """Who has the lowest error, at how many budgets, and by how much."""
    leader = competing.leader()
    column = competing.column
    n_best = competing.best_counts()[leader]
    alone = competing.alone_counts()
    wins = [contest for contest in competing.decided if contest.best[column] == leader]
    wins.sort(key=_lead)
    rival_names: set[str] = set()
    for contest in wins:
        rival_names.update(row[column] for row in contest.rivals)
    if len(rival_names) == 1:
        rivals = rival_names.pop()
        leads = "it leads by"
    else:
        rivals = f"every other {competing.noun}"
        leads = "it leads the next best by"
    where = f"at which {competing.plural} are compared"
    text = f"{leader} has the lowest mean {part} MSE at"
    if len(competing.contests) == 1:
        text += f" the one budget {where} and is significantly better than {rivals} there"
    else:
        n_wins = "each" if len(wins) == n_best else str(len(wins))
        text += f" {_budgets(n_best, competing)} {where}, and is significantly better than {rivals}"
        text += f" at {n_wins} of them"
    text += f": {leads} {_difference(wins[-1].rivals[0])} at {wins[-1].place}"
    if len(wins) > 1:
        text += f" and by {_difference(wins[0].rivals[0])} at {wins[0].place}"
    del alone[leader]
    if alone:
        others = ", ".join(f"{name} at {n}" for name, n in sorted(alone.items()))
        text += f"; significantly better than every other {competing.noun} elsewhere: {others}"
    return f"{text}."


def _no_winner(competing: Competition, part: str) -> str:
    """Who has the lowest error, where nobody is significantly better than every rival."""
    leader = competing.leader()
    where = f"at which {competing.plural} are compared"
    lowest = f"{leader} has the lowest mean {part} MSE"
    if len(competing.contests) == 1:
        budgets = f"the one budget {where}"
    else:
        budgets = f"any of the {len(competing.contests)} budgets {where}"
        lowest += f" at {competing.best_counts()[leader]} of them"
    gaps = sorted(contest.rows[-1]["difference"] for contest in competing.contests)
    gap = range_text(gaps, "{:.4f}".format)
    return (
        f"No {competing.noun} is significantly better than every other at {budgets}: {lowest}, "
        f"and the worst is {gap} behind the best."
    )


def _lead(contest: Contest) -> float:
    """The difference between the best and the next."""
    return contest.rivals[0]["difference"]


def _ties(competing: Competition) -> str:
    """At how many budgets the best has equals, and which one is closest."""
    undecided = competing.undecided
    if not undecided:
        return f"No other {competing.noun} ties with the best at any budget."
    counts = sorted(len(contest.ties) for contest in undecided)
    where = undecided[0].place
    if len(undecided) > 1:
        where = _budgets(len(undecided), competing)
    noun = "other" if counts[-1] == 1 else "others"
    others = f"{range_text(counts, str)} {noun}"
    text = f"At {where} the best is not significantly better than {others}"
    tested = []
    for contest in undecided:
        for row in contest.ties:
            if row["n"] > 1:
                tested.append((abs(row["difference"]), contest, row))
    if not tested:
        return f"{text}, because they share too few seeds."
    _, contest, row = min(tested, key=lambda tie: tie[0])
    text += f"; the closest is {row[competing.column]}, behind {contest.best[competing.column]} by"
    text += f" {_difference(row)}"
    if len(undecided) > 1:
        text += f" at {contest.place}"
    return f"{text} (n={row['n']})."


def _budgets(n: int, competing: Competition) -> str:
    """12 of the 14 budgets, or all 14 budgets."""
    n_all = len(competing.contests)
    return f"all {n_all} budgets" if n == n_all else f"{n} of the {n_all} budgets"


def _difference(row: dict[Any, Any]) -> str:
    """0.0235 [0.0140, 0.0330]: the paired difference with its 95 % interval."""
    return interval_text(row["difference"], row["difference_low"], row["difference_high"])

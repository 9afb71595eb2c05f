"""The answer of a study in four sentences: whom validation names, who may be as good on test, at
what price, and how that was found. Of several data sets each has a sentence, and none a price."""

from typing import Any

import pandas as pd

from ue_bench.report.evidence.interval_method import NO_INTERVAL
from ue_bench.report.evidence.summary import SCOPE, score
from ue_bench.report.format import bytes_text, interval_text, listed, range_text
from ue_bench.report.page.contests import STRESS, Competition, Contest, competition, headlined
from ue_bench.report.page.price import contestants, price

NO_ANSWER = "No arm has a measured MSE, so there is no answer."
NO_RIVALS = "No two strategies have the same byte budget, so none can be called better."


def sentences(summary: pd.DataFrame, verdicts: pd.DataFrame) -> list[str]:
    """The answer in plain text; fewer than four sentences where there is no rival.

    Where a study has one strategy, its variants are the rivals. Features of `STRESS` have a part
    in it only where there are no others.
    """
    every_arm = score(summary)
    if every_arm.empty:
        return [NO_ANSWER]
    scored, verdicts = headlined(every_arm, verdicts)
    lines = _answer(scored, verdicts)
    if len(scored) < len(every_arm):
        lines.append(f"The feature set {STRESS}, a stress of rare values, is not part of this.")
    return lines


def _answer(scored: pd.DataFrame, verdicts: pd.DataFrame) -> list[str]:
    competing = competition(verdicts, scored, "group")
    if not competing.contests:
        competing = competition(verdicts, scored, "label")
    if not competing.contests:
        return [NO_RIVALS, *price(scored)]
    part = " or ".join(scored["part"].unique())  # validation where the split has no test part
    if scored["dataset"].nunique() > 1:
        named = _by_data(competing)
        prices = []
    else:
        winner = _winner(competing, part) if competing.decided else _no_winner(competing, part)
        named = [winner]
        prices = price(contestants(scored, verdicts), competing.leader(), competing.column)
    if not any(contest.is_known for contest in competing.contests):
        return [*named, *prices, f"Which is best cannot be told ({why_unknown(competing)})."]
    return [*named, _ties(competing), *prices, _method(competing)]


def _by_data(competing: Competition) -> list[str]:
    """Whom validation names at which budgets, in a sentence for each data set."""
    contests: dict[str, list[Contest]] = {}
    for contest in competing.contests:
        contests.setdefault(contest.named["dataset"], []).append(contest)
    return [_of_data(name, part, competing.column) for name, part in contests.items()]


def _of_data(dataset: str, contests: list[Contest], column: str) -> str:
    comparisons = {tuple(contest.named[name] for name in SCOPE) for contest in contests}
    at: dict[str, list[str]] = {}
    for contest in contests:
        where = bytes_text(contest.named["budget"]) if len(comparisons) == 1 else contest.place
        if contest.is_decided:
            where += " (alone in the set of the best)"
        at.setdefault(contest.named[column], []).append(where)
    named = "; ".join(f"{name} at {' and '.join(places)}" for name, places in at.items())
    return f"On {dataset} validation names {named}."


def _winner(competing: Competition, part: str) -> str:
    """Whom validation names, at how many budgets, and by how much it is ahead where it is alone."""
    leader = competing.leader()
    column = competing.column
    n_named = competing.named_counts()[leader]
    alone = competing.alone_counts()
    wins = [contest for contest in competing.decided if contest.named[column] == leader]
    wins.sort(key=_lead)
    where = f"at which {competing.plural} are compared"
    budgets = f"{_budgets(n_named, competing)} {where}"
    n_wins = "each" if len(wins) == n_named else str(len(wins))
    on_test = f"on {part} rows it is alone in the set of the best at {n_wins} of them"
    if len(competing.contests) == 1:
        budgets = f"the one budget {where}"
        on_test = f"on {part} rows it is alone in the set of the best"
    text = f"Validation names {leader} at {budgets}, and {on_test}: the next best is "
    text += f"{_difference(wins[-1].rivals[0])} behind at {wins[-1].place}"
    if len(wins) > 1:
        text += f" and {_difference(wins[0].rivals[0])} at {wins[0].place}"
    untold = []
    for contest in wins:
        if not all(rival["told_apart"] for rival in contest.rivals):
            untold.append(contest.place)
    if untold:
        text += f" (no test tells it from all others at {listed(untold)})"
    del alone[leader]
    if alone:
        others = ", ".join(f"{name} at {n}" for name, n in sorted(alone.items()))
        text += f"; named and alone elsewhere: {others}"
    return f"{text}."


def _no_winner(competing: Competition, part: str) -> str:
    """Whom validation names, where nobody is alone in the set of the best."""
    leader = competing.leader()
    where = f"at which {competing.plural} are compared"
    named = f"validation names {leader}"
    if len(competing.contests) == 1:
        budgets = f"the one budget {where}"
    else:
        budgets = f"any of the {len(competing.contests)} budgets {where}"
        named += f" at {competing.named_counts()[leader]} of them"
    gaps = sorted(max(row["difference"] for row in contest.rows) for contest in competing.contests)
    gap = range_text(gaps, "{:.4f}".format)
    return (
        f"No {competing.noun} that validation names is alone in the set of the best at {budgets}: "
        f"{named}, and the worst is {gap} behind the named one in mean {part} MSE."
    )


def _lead(contest: Contest) -> float:
    """The difference between the named one and the next."""
    return contest.rivals[0]["difference"]


def _ties(competing: Competition) -> str:
    """At how many budgets others may be the best, and which one is closest."""
    undecided = [contest for contest in competing.undecided if contest.is_known]
    n_unknown = sum(not contest.is_known for contest in competing.contests)
    where = "at any budget"
    if n_unknown:
        where += f" that has one ({n_unknown} of {len(competing.contests)} have none)"
    if not undecided:
        return f"No other {competing.noun} is in the set of the best {where}."
    counts = sorted(len(contest.ties) for contest in undecided)
    where = undecided[0].place
    if len(undecided) > 1:
        where = _budgets(len(undecided), competing)
    noun = "other" if counts[-1] == 1 else "others"
    text = f"At {where} the set of the best holds {range_text(counts, str)} {noun}"
    passed = sum(contest.named["among_best"] is False for contest in undecided)
    if passed:
        text += f" (and not the named one at {passed})"
    tested = []
    for contest in undecided:
        for row in contest.ties:
            if row["n"] > 1:
                tested.append((abs(row["difference"]), contest, row))
    if not tested:
        return f"{text}, because they share too few seeds."
    _, contest, row = min(tested, key=lambda tie: tie[0])
    text += f"; the closest is {row[competing.column]}, behind {contest.named[competing.column]} by"
    text += f" {_difference(row)}"
    if len(undecided) > 1:
        text += f" at {contest.place}"
    return f"{text} (n={row['n']})."


def why_unknown(competing: Competition) -> str:
    """Return why there is no set of the best at any budget."""
    methods = competing.methods()
    if NO_INTERVAL in methods:
        return methods
    return "too few common seeds"


def _method(competing: Competition) -> str:
    """How intervals and sets were made."""
    return (
        "A set of the best holds the best one at its budget with 95 % (Hsu's multiple comparison "
        f"with the best); intervals are 95 %: {competing.methods()}."
    )


def _budgets(n: int, competing: Competition) -> str:
    """12 of the 14 budgets, or all 14 budgets."""
    n_all = len(competing.contests)
    return f"all {n_all} budgets" if n == n_all else f"{n} of the {n_all} budgets"


def _difference(row: dict[Any, Any]) -> str:
    """0.0235 [0.0140, 0.0330]: the paired difference with its 95 % interval."""
    return interval_text(row["difference"], row["difference_low"], row["difference_high"])

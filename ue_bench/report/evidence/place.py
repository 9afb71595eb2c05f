"""The place of one strategy among all others, at each size.

A strategy stands at a size with its form and variant that is best on validation. By budget, all
tables have equal bytes; by all bytes, what counts is table, auxiliary data and the vocabulary as a
dictionary, and each strategy has at most the bytes of the size.
"""

from collections.abc import Sequence
from typing import Any

import pandas as pd

from ue_bench.report.evidence.arms import Arm
from ue_bench.report.evidence.frames import groups, records
from ue_bench.report.evidence.pairs import holm_corrected
from ue_bench.report.evidence.statistics import compare_two
from ue_bench.report.evidence.summary import SCOPE, by_key, panel, row_scores, score
from ue_bench.report.evidence.verdict import front_of_bytes


def places(summary: pd.DataFrame, arms: Sequence[Arm], subject: str) -> list[dict[str, Any]]:
    """Return the places of the strategy `subject`: one entry a comparison and budget that it has.

    rank, among: its place by mean MSE, and how many strategies there are, at equal budgets.
    rank_in_all, among_in_all: the same at most as many bytes in all; None where no variant of it is
    so small. on_front: whether no strategy with at most its bytes in all has a lower MSE. rivals:
    one entry for each other strategy at the budget, the best first, with `difference` (the
    subject's MSE less the rival's), its interval, and `verdict` on the subject: better, worse or
    not told apart, by Holm's correction over the rivals at all budgets of the comparison.
    """
    scored = score(summary)
    scored = scored[~scored["is_anchor"]]
    scored = scored.assign(panel=panel(scored))
    arm_of = by_key(arms)
    found = []
    for _, world in groups(scored, SCOPE):
        own_budgets = world.loc[world["strategy"] == subject, "budget"].dropna().unique()
        entries: list[dict[str, Any]] = []
        tests = []
        for budget in sorted(own_budgets):
            standing = _standing(world[world["budget"] == budget])
            entry, own = _entry(standing, subject)
            entry |= _in_all(world[world["total_bytes"] <= budget], subject)
            entry["budget"] = int(budget)
            for rival in standing:
                if rival["strategy"] != subject:
                    test = compare_two(row_scores(arm_of, rival), row_scores(arm_of, own))
                    tests.append(test._asdict() | {"entry": len(entries), "rival": rival["label"]})
            entries.append(entry)
        if tests:
            _add_rivals(entries, holm_corrected(pd.DataFrame(tests)))
        found += entries
    return found


def _standing(part: pd.DataFrame) -> list[dict[str, Any]]:
    """Return the best variant on validation of each strategy, by MSE, the best first."""
    ordered = part.sort_values(["val_mse_mean", "label"], kind="stable", na_position="last")
    standing = ordered.drop_duplicates("strategy").sort_values(["mse", "label"], kind="stable")
    return records(standing.assign(on_front=front_of_bytes(standing)))


def _entry(
    standing: Sequence[dict[str, Any]], subject: str
) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return the subject's place among the strategies at one budget, and its row."""
    (own,) = [row for row in standing if row["strategy"] == subject]
    entry = {
        name: own[name]
        for name in ("panel", "part", "label", "n", "mse", "low", "high", "exact_table_bytes")
    }
    entry["rank"] = 1 + sum(row["mse"] < own["mse"] for row in standing)
    entry["among"] = len(standing)
    entry["on_front"] = bool(own["on_front"])
    entry["total_bytes"] = int(own["total_bytes"])
    entry["rivals"] = []
    return entry, own


def _in_all(small: pd.DataFrame, subject: str) -> dict[str, Any]:
    standing = _standing(small)
    own = [row for row in standing if row["strategy"] == subject]
    rank = None
    if own:
        rank = 1 + sum(row["mse"] < own[0]["mse"] for row in standing)
    return {"rank_in_all": rank, "among_in_all": len(standing)}


def _add_rivals(entries: Sequence[dict[str, Any]], tests: pd.DataFrame) -> None:
    for test in records(tests):
        verdict = "not told apart"
        if test["told_apart"]:
            verdict = "better" if test["difference"] < 0 else "worse"
        rival = {"label": test["rival"], "verdict": verdict}
        for name in ("difference", "low", "high", "n", "p_holm", "tests"):
            rival[name] = test[name]
        entries[test["entry"]]["rivals"].append(rival)

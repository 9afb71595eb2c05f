"""Two strategies or arms, paired over seeds: a line for each comparison and budget where both stand, Holm-corrected over lines.

A difference that cannot be told from 0 comes with the seeds that would tell it: the power of `sections/power.py`, from the
standard deviation of this pair's own differences, at 5 % divided by the number of lines, for the difference found or 0.005 MSE
if more.
"""

import math
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import pandas as pd

from ue_bench.errors import BenchError, unknown
from ue_bench.record import Record
from ue_bench.report.evidence.arms import collect
from ue_bench.report.evidence.comparison import Comparison
from ue_bench.report.evidence.frames import groups
from ue_bench.report.evidence.frames import records as records_of
from ue_bench.report.evidence.power import TARGET, seeds_needed
from ue_bench.report.evidence.statistics import LEVEL, differences, holm, paired
from ue_bench.report.evidence.summary import SCOPE, by_seed, key, score, summarise
from ue_bench.report.evidence.verdict import champions
from ue_bench.report.format import bytes_text, delta_text, missing, p_text

BETTER, WORSE, UNKNOWN = "better", "worse", "cannot tell"


def compare(records: Sequence[Record], one: str, other: str) -> list[dict[str, Any]]:
    """`one` against `other`, each a strategy (then its variant that is best on validation) or an arm's label.

    A row a comparison and budget: `difference` is MSE of `one` less that of `other`, with `low` and `high` of its 95 % interval,
    `p_holm`, `verdict`, and `needed` seeds where it cannot be told (None: unknown for want of two common seeds). A table without
    a budget stands at each of the other's budgets. Raises BenchError for a name that no record has, and where they never meet.
    """
    kept = collect(records).kept
    scored = score(summarise(kept))
    own, rival = _variants(scored, one), _variants(scored, other)
    runs = {arm.key: arm for arm in kept}
    pairs = [
        pair
        for scope, part in groups(own, SCOPE)
        for pair in _meet(part, rival[(rival[SCOPE] == list(scope)).all(axis=1)])
    ]
    if not pairs:
        raise BenchError(
            f"{one!r} and {other!r} never meet at one budget of one comparison; see the report's summary for what does"
        )
    seeds = [[by_seed(runs[key(row)], row["part"]) for row in pair] for pair in pairs]
    tests = [paired(theirs, mine) for mine, theirs in seeds]
    rows = []
    for (mine, theirs), scores, test, p in zip(
        pairs, seeds, tests, holm([test.p for test in tests]), strict=True
    ):
        told = p < 1 - LEVEL  # NaN: not told
        target, needed = max(abs(test.difference), TARGET), None
        if not told and test.n > 1:
            sd = float(np.std(differences(scores[1], scores[0]), ddof=1))
            needed = seeds_needed(sd, target, (1 - LEVEL) / len(pairs))
        budget = theirs["budget"] if missing(mine["budget"]) else mine["budget"]
        row = {name: mine[name] for name in SCOPE} | {
            "budget": None if missing(budget) else int(budget)
        }
        row |= {
            "one": mine["label"],
            "other": theirs["label"],
            "part": mine["part"],
            **test._asdict(),
            "p_holm": p,
        }
        verdict = UNKNOWN if not told else BETTER if test.difference < 0 else WORSE
        row |= {
            "verdict": verdict,
            "needed": needed,
            "needed_for": None if needed is None else target,
        }
        rows.append(
            {
                name: None if isinstance(value, float) and math.isnan(value) else value
                for name, value in row.items()
            }
        )
    return rows


def _variants(scored: pd.DataFrame, name: str) -> pd.DataFrame:
    """The arms that a name means: of a label all, of a strategy or of one form of it the best on validation at each budget."""
    labelled = scored[scored["label"] == name]
    if len(labelled):
        return labelled
    for column in ("group", "strategy"):
        if (scored[column] == name).any():
            found = scored[scored[column] == name]
            return champions(found.assign(group=name))  # of a strategy's forms the best one
    raise BenchError(
        f"{unknown('strategy or arm', name, set(scored['strategy']))}, or an arm's label as the report prints it"
    )


def _meet(
    own: pd.DataFrame, rival: pd.DataFrame
) -> Iterator[tuple[dict[Any, Any], dict[Any, Any]]]:
    """Pairs of rows at one budget, or of which one has none."""
    for mine in records_of(own.sort_values("budget", kind="stable")):
        for theirs in records_of(rival.sort_values("budget", kind="stable")):
            free = missing(mine["budget"]) or missing(theirs["budget"])
            if mine["label"] != theirs["label"] and (free or mine["budget"] == theirs["budget"]):
                yield mine, theirs


def sentence(row: dict[str, Any]) -> str:
    """`base (ml-100k, random split), study s, 28 kB: A against B: -0.0206 [-0.0310, -0.0102] test MSE: better (p = 0.006)`."""
    size = bytes_text(row["budget"]) if row["budget"] else "no budget"
    title = Comparison.of_row(row).full_title
    if row["difference"] is None:
        difference = "no common seed"
    else:
        delta = delta_text(row["difference"], row["low"], row["high"])
        difference = f"{delta} {row['part']} MSE"
    return f"{title}, {size}: {row['one']} against {row['other']}: {difference}: {_told(row)}"


def _told(row: dict[str, Any]) -> str:
    if row["verdict"] != UNKNOWN:
        return f"{row['verdict']} (p {p_text(row['p_holm'])})"
    seeds = f"{UNKNOWN} with {row['n']} seed{'' if row['n'] == 1 else 's'}"
    if row["needed"] is None:
        return f"{seeds}, needs at least 2"
    if row["needed"] <= row["n"]:
        return f"{seeds}, enough to see {row['needed_for']:.4f}"
    return f"{seeds}, needs about {row['needed']} to see {row['needed_for']:.4f}"

"""Two strategies or arms against each other: a row a comparison and budget.

They are paired over seeds where they have common ones. Holm's correction is over the rows of one
study. A difference that cannot be told from 0 comes with the number of seeds that would show it
(see `pairs`).
"""

import math
import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

import pandas as pd

from ue_bench.errors import BenchError, unknown
from ue_bench.record import Record
from ue_bench.report.evidence.arms import Arm, collect
from ue_bench.report.evidence.comparison import Comparison
from ue_bench.report.evidence.frames import records as records_of
from ue_bench.report.evidence.meetings import BUDGET, SIZES, meetings
from ue_bench.report.evidence.pairs import FEWEST, Pair, compare_pairs
from ue_bench.report.evidence.statistics import family_text
from ue_bench.report.evidence.summary import by_key, key, row_scores, score, summarise
from ue_bench.report.evidence.unseen_share import share_columns, share_text, unseen_share
from ue_bench.report.evidence.verdict import champions
from ue_bench.report.format import bytes_text, delta_text, missing, p_text

BETTER = "better"
WORSE = "worse"
UNKNOWN = "cannot tell"

Row = dict[str, Any]
_TIMES = re.compile(r"(?<=\d)x(?=\d)")


def compare(records: Sequence[Record], one: str, other: str, size: str = BUDGET) -> list[Row]:
    """Compare `one` with `other` wherever both have runs, a row a comparison and budget.

    one, other: an arm's label, or a strategy, which means its variant that is best on validation.
    size: `budget`, at which an arm without one meets all; or all bytes, with a `dictionary` or with
    a `key-free` vocabulary: then each arm of `one` meets the arm of `other` that is best on
    validation among those that take no more bytes. A row has the `bytes` and `other_bytes` of both.

    A row has the `difference`, the MSE of `one` less that of `other`, with `low` and `high` of its
    95 % interval, made as `interval_by` says; `p`, `p_holm` after the correction over `tests`
    tests, the `power` of a test that rejects, and the `verdict`; and, where the two cannot be told
    apart, the seeds `needed` to see a difference of `needed_for`. None stands for what is not
    known; `needed` is None with `needed_for` where no number of seeds shows it. `unseen_share` is
    the share of the difference in rows with unseen values, the share `unseen_rows` of all rows.

    Raises BenchError for a name that no record has, an unknown size, and where the two never meet.
    """
    return compare_arms(scored_arms(records), one, other, size)


class ScoredArms(NamedTuple):
    """Arms by their keys, and their rows of the summary with a score."""

    arm_of: Mapping[tuple[Any, ...], Arm]
    scored: pd.DataFrame


def scored_arms(records: Sequence[Record]) -> ScoredArms:
    """Return what `compare` compares: the arms of these records alone."""
    kept = collect(records).kept
    return ScoredArms(by_key(kept), score(summarise(kept)))


def compare_arms(arms: ScoredArms, one: str, other: str, size: str = BUDGET) -> list[Row]:
    """Compare two strategies or arms, as `compare` does."""
    if size not in SIZES:
        raise unknown("size", size, SIZES)
    arm_of, scored = arms
    met = list(meetings(variants(scored, one), variants(scored, other), size))
    if not met:
        where = "at one budget" if size == BUDGET else f"in all bytes ({size})"
        raise BenchError(
            f"{one!r} and {other!r} never meet {where} of one comparison; "
            "see the report's summary for what does"
        )
    rows = []
    studies = [mine["study"] for mine, _ in met]
    tests = records_of(compare_pairs(score_pairs(arm_of, met), studies))
    for (mine, theirs), test in zip(met, tests, strict=True):
        sizes = {"size": size, "bytes": mine[SIZES[size]], "other_bytes": theirs[SIZES[size]]}
        share = unseen_share(arm_of[key(mine)], arm_of[key(theirs)])
        rows.append(_row(mine, theirs, test | sizes) | share_columns(share))
    return rows


def score_pairs(
    arm_of: Mapping[tuple[Any, ...], Arm], met: Iterable[tuple[Row, Row]]
) -> list[Pair]:
    """Return the scores of rows that meet, the rival's first: a difference is own less rival."""
    pairs = []
    for mine, theirs in met:
        pairs.append((row_scores(arm_of, theirs), row_scores(arm_of, mine)))
    return pairs


def variants(scored: pd.DataFrame, name: str) -> pd.DataFrame:
    """Return the arms that a name means.

    A label means all its arms. A strategy, or one form of it, means the arm that is best on
    validation at each budget. Where nothing is named so, 2x8 is read as 2×8.
    """
    for text in (name, _TIMES.sub("×", name)):
        labelled = scored[scored["label"] == text]
        if len(labelled):
            return labelled
        for column in ("group", "strategy"):
            forms = scored[scored[column] == text]
            if len(forms):
                return champions(forms.assign(group=text))  # the best of a strategy's forms
    raise BenchError(
        f"{unknown('strategy or arm', name, set(scored['strategy']))}, "
        "or an arm's label as the report prints it"
    )


def _row(mine: Row, theirs: Row, test: Row) -> Row:
    row: Row = Comparison.of_row(mine)._asdict()
    row["budget"] = mine["budget"]
    if missing(mine["budget"]):
        row["budget"] = theirs["budget"]
    for name in ("size", "bytes", "other_bytes"):
        row[name] = test[name]
    row["one"] = mine["label"]
    row["other"] = theirs["label"]
    row["part"] = mine["part"]
    for name in ("n", "difference", "low", "high", "p", "interval_by", "tests", "p_holm", "power"):
        row[name] = test[name]
    row["verdict"] = verdict_of(test)
    row["needed"] = test["needed"]
    row["needed_for"] = test["needed_for"]
    return {name: None if missing(value) else value for name, value in row.items()}


def verdict_of(test: Row) -> str:
    """Return what a test of `pairs.holm_corrected` says of the first arm against the other."""
    if not test["told_apart"]:
        return UNKNOWN
    if test["difference"] < 0:
        return BETTER
    return WORSE


def sentence(row: Row) -> str:
    """Return a row of `compare` in words.

    Such as `base (ml-100k, random split), study s, 28 kB: A against B: -0.0206 [-0.0310, -0.0102]
    test MSE (corrected resampled t): better (p = 0.006)`.
    """
    size = _size_text(row)
    title = Comparison.of_row(row).full_title
    if row["difference"] is None:
        difference = "no common seed"
    else:
        delta = delta_text(row["difference"], row["low"], row["high"])
        difference = f"{delta} {row['part']} MSE ({row['interval_by']})"
    arms = f"{row['one']} against {row['other']}"
    text = f"{title}, {size}: {arms}: {difference}: {_verdict_text(row)}"
    if row["verdict"] != UNKNOWN and row["unseen_rows"]:
        text += f"; {share_text(row)}"
    return text


def told(rows: Sequence[Row], one: str, other: str) -> str:
    """Return what the rows of `compare` say of each comparison, in one sentence.

    one, other: the names that were asked for.
    """
    by_comparison: dict[str, dict[str, list[Row]]] = {}
    for row in rows:
        title = Comparison.of_row(row).title
        by_comparison.setdefault(title, {}).setdefault(row["verdict"], []).append(row)
    clauses = []
    for title, by_verdict in by_comparison.items():
        found = []
        for verdict, words in _WORDS.items():
            of_verdict = by_verdict.get(verdict, [])
            if of_verdict:
                found.append(f"{words.format(other)} {_sizes_text(of_verdict)}")
        clauses.append(f"on {title}, {one} {'; it '.join(found)}")
    text = "; ".join(clauses)
    return f"{text[:1].upper()}{text[1:]}."


_WORDS = {
    BETTER: "is better than {}",
    WORSE: "is worse than {}",
    UNKNOWN: "cannot be told from {}",
}


def _sizes_text(rows: Sequence[Row]) -> str:
    """Return the sizes of rows with the range of their differences."""
    sizes = ", ".join(_size_text(row) for row in rows)
    known = [row["difference"] for row in rows if row["difference"] is not None]
    if not known:
        return f"at {sizes}"
    ends = sorted({f"{min(known):+z.4f}", f"{max(known):+z.4f}"}, key=float)
    return f"at {sizes} ({' to '.join(ends)})"


def _size_text(row: Row) -> str:
    """Return the budget, or both sizes in all bytes."""
    if row["size"] != BUDGET:
        sizes = f"{bytes_text(row['bytes'])} against {bytes_text(row['other_bytes'])}"
        return f"{sizes} in all ({row['size']} vocabulary)"
    if row["budget"]:
        return bytes_text(row["budget"])
    return "no budget"


def _verdict_text(row: Row) -> str:
    if row["verdict"] != UNKNOWN:
        return f"{row['verdict']} (p {p_text(row['p_holm'])})"
    plural = "" if row["n"] == 1 else "s"
    text = f"{UNKNOWN} with {row['n']} seed{plural}"
    if row["n"] < FEWEST:
        return f"{text}, needs at least {FEWEST}"
    if row["p"] is None:
        return text
    if row["power"] is not None:
        percent = math.floor(100 * row["power"])  # not 80 %, which is enough
        text += f" (p {p_text(row['p_holm'])}, but a power of {percent} % only)"
    if row["needed"] is None:
        return f"{text}, and no number of seeds shows {row['needed_for']:.4f}"
    if row["needed"] <= row["n"]:
        return f"{text}, enough to see {row['needed_for']:.4f}"
    return f"{text}, needs about {row['needed']} to see {row['needed_for']:.4f}"


def family(rows: Sequence[Row]) -> str:
    """Return what Holm's correction of the rows of `compare` is over."""
    what = "the lines above whose difference has an interval"
    tests = {row["study"]: row["tests"] for row in rows}
    if len(tests) == 1:
        return family_text(next(iter(tests.values())), what)
    parts = [f"{number} of {study}" for study, number in sorted(tests.items())]
    return f"Holm's correction is within each study ({', '.join(parts)}): {what}."

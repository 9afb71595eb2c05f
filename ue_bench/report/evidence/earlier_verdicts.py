"""What became of verdicts that were published before: whether new records and statistics agree.

The earlier verdicts are data: `earlier-verdicts.csv` in the folder of the published records, a row
a comparison. They are those of `ue-bench compare unified OTHER --study STUDY`, for every study and
every other strategy or form in it, at the version that first published them: the paired t-test over
five seeds, with Holm's correction over the budgets of each pair. The new ones are worked out here
in the same way from what is published now.
"""

import csv
import io
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import pandas as pd

from ue_bench.errors import BenchError
from ue_bench.report.evidence.arms import Arm
from ue_bench.report.evidence.compare import (
    BETTER,
    UNKNOWN,
    WORSE,
    score_pairs,
    variants,
    verdict_of,
)
from ue_bench.report.evidence.comparison import Comparison
from ue_bench.report.evidence.evidence import Evidence
from ue_bench.report.evidence.frames import records
from ue_bench.report.evidence.meetings import BUDGET, meetings
from ue_bench.report.evidence.pairs import differences_of, holm_corrected
from ue_bench.report.evidence.summary import by_key, score
from ue_bench.report.format import missing
from ue_bench.whole_file import read_regular

FILE = "earlier-verdicts.csv"
VERDICTS = (BETTER, WORSE, UNKNOWN)
STOOD = "stood"
FLIPPED = "flipped"
LOST = "cannot be told now"
GAINED = "is told now"
STILL = "still cannot be told"
GONE = "was not measured again"
FATES = (STOOD, FLIPPED, LOST, GAINED, STILL, GONE)


class Outcome(NamedTuple):
    """A difference in MSE with its 95 % interval, NaN where there is none, and the verdict."""

    difference: float
    low: float
    high: float
    verdict: str


class Earlier(NamedTuple):
    """One verdict that was published before.

    budget: bytes, or None. one, other: a strategy, or one form of it. n: seeds.
    """

    comparison: Comparison
    budget: int | None
    one: str
    other: str
    n: int
    outcome: Outcome


class Fate(NamedTuple):
    """What became of an earlier verdict. now: None where it was not measured again."""

    earlier: Earlier
    now: Outcome | None

    @property
    def fate(self) -> str:
        """One of FATES."""
        if self.now is None:
            return GONE
        before, after = self.earlier.outcome.verdict, self.now.verdict
        if before == UNKNOWN:
            return STILL if after == UNKNOWN else GAINED
        if after == UNKNOWN:
            return LOST
        return STOOD if before == after else FLIPPED


def read(results: Path) -> tuple[Earlier, ...]:
    """Return the earlier verdicts of a folder of records; none where it has no file of them.

    Raises BenchError for a file that is not one of verdicts.
    """
    path = results / FILE
    if not path.exists():
        return ()
    try:
        rows = list(csv.DictReader(io.StringIO(read_regular(path).decode())))
        return tuple(map(_earlier, rows))
    except (OSError, ValueError, KeyError, TypeError, csv.Error) as error:
        raise BenchError(
            f"{path}: not a file of earlier verdicts ({error}); get the published one"
        ) from error


def _earlier(row: Mapping[str, str]) -> Earlier:
    if row["verdict"] not in VERDICTS:
        raise ValueError(f"verdict {row['verdict']!r}")
    names = [name for name in Comparison._fields if name != "setting"]
    difference, low, high = (float(row[name]) for name in ("difference", "low", "high"))
    return Earlier(
        comparison=Comparison(**{name: row[name] for name in names}),
        budget=int(row["budget"]) if row["budget"] else None,
        one=row["one"],
        other=row["other"],
        n=int(row["n"]),
        outcome=Outcome(difference, low, high, row["verdict"]),
    )


def fates(earlier: Iterable[Earlier], evidence: Evidence, study: str) -> list[Fate]:
    """Return what became of each earlier verdict of a study, in order."""
    of_study = [verdict for verdict in earlier if verdict.comparison.study == study]
    pairs = dict.fromkeys((verdict.one, verdict.other) for verdict in of_study)
    arm_of = by_key([arm for arm in evidence.arms.kept if arm.comparison.study == study])
    scored = score(evidence.summary[evidence.summary["study"] == study])
    present = {*scored["group"], *scored["strategy"]}
    variants_of: dict[str, pd.DataFrame] = {}
    for name in dict.fromkeys(name for pair in pairs for name in pair):
        if name in present:
            variants_of[name] = variants(scored, name)
    now: dict[tuple[Any, ...], Outcome] = {}
    for one, other in pairs:
        if one in variants_of and other in variants_of:
            now |= _outcomes(arm_of, variants_of, one, other)
    found = []
    for verdict in of_study:
        key = (verdict.comparison, verdict.budget, verdict.one, verdict.other)
        found.append(Fate(verdict, now.get(key)))
    return found


def _outcomes(
    arm_of: Mapping[tuple[Any, ...], Arm],
    variants_of: Mapping[str, pd.DataFrame],
    one: str,
    other: str,
) -> dict[tuple[Any, ...], Outcome]:
    """Return what the records say of two strategies, by comparison, budget and their names."""
    met = list(meetings(variants_of[one], variants_of[other], BUDGET))
    if not met:
        return {}
    tests = records(holm_corrected(differences_of(score_pairs(arm_of, met))))
    outcomes = {}
    for (mine, theirs), test in zip(met, tests, strict=True):
        budget = theirs["budget"] if missing(mine["budget"]) else mine["budget"]
        key = (Comparison.of_row(mine), None if missing(budget) else int(budget), one, other)
        verdict = verdict_of(test)
        outcomes[key] = Outcome(test["difference"], test["low"], test["high"], verdict)
    return outcomes


def counts(found: Sequence[Fate]) -> dict[str, int]:
    """Return how many verdicts had each of FATES."""
    numbers = dict.fromkeys(FATES, 0)
    for fate in found:
        numbers[fate.fate] += 1
    return numbers

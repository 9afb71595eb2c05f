"""The answer: what the records say, so that the same records give the same answer.

It is chosen on validation over fresh seeds and quoted on test. Intervals, tests and the front are
those of the report.
"""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from statistics import fmean
from typing import Any, NamedTuple

import pandas as pd

from ue_bench.advise.candidates import Candidates, exact_form
from ue_bench.advise.choice import Choice, choose
from ue_bench.advise.contestants import Contestant, contestants, rank, val_means
from ue_bench.advise.lines import python
from ue_bench.advise.question import Question
from ue_bench.advise.rounds import FEWEST, FRESH, MOST_SEEDS, SEEDS
from ue_bench.advise.runs import Runs
from ue_bench.advise.sizes import EXACT_DIMS, LARGEST, Footprints, Sizes, Small
from ue_bench.config import RunConfig
from ue_bench.errors import BenchError
from ue_bench.report.evidence.arms import collect
from ue_bench.report.evidence.best_set import best_set
from ue_bench.report.evidence.frames import records as rows_of
from ue_bench.report.evidence.labels import plain_label
from ue_bench.report.evidence.pairs import compare_all
from ue_bench.report.evidence.run_scores import Part, Scores, anchor_scores_of
from ue_bench.report.evidence.statistics import ALPHA, Difference, compare_two
from ue_bench.report.evidence.summary import ANCHORS
from ue_bench.report.evidence.verdict import front
from ue_bench.report.json_values import json_values


@dataclass(frozen=True)
class Evidence:
    """What an answer is made of.

    data: the rows that runs used, or a part of them. footprints: of configurations on all rows.
    confirmed: what ran on fresh seeds. refused: arms that are not comparable, and why.
    left_out: as the answer has it. part: what it says of the part of the rows that was
    used; None: all were.
    """

    data: Sizes
    footprints: Footprints
    confirmed: Sequence[Contestant]
    refused: Sequence[str]
    left_out: dict[str, Any]
    part: dict[str, Any] | None = None


def answer(question: Question, sizes: Sizes, candidates: Candidates, runs: Runs) -> dict[str, Any]:
    """Return the answer with its evidence, as JSON can hold it.

    Raises BenchError where no run on fresh seeds ended well.
    """
    arms = collect(runs.records.values())
    confirmed = contestants([arm for arm in arms.kept if arm.comparison.phase == "confirm"])
    evidence = Evidence(
        data=sizes,
        footprints=sizes,
        confirmed=confirmed,
        refused=arms.refused,
        left_out=left_out(
            question,
            [Raced(sized.config, sized.config, sized.total_bytes) for sized in candidates.fits],
            candidates.small,
            runs,
            sizes.exact_bytes(exact_form(question.base).dim),
        ),
    )
    return answer_from(question, evidence, runs)


def answer_from(question: Question, evidence: Evidence, runs: Runs) -> dict[str, Any]:
    """Return the answer that follows from evidence.

    Raises BenchError where no run on fresh seeds ended well.
    """
    confirmed = evidence.confirmed
    sizes = evidence.footprints
    facts = evidence.data.facts
    fitting = [contestant for contestant in confirmed if contestant.total_bytes <= question.memory]
    if not fitting:
        seconds = FEWEST * (SEEDS + 1) * runs.expected(evidence.data.base)
        raise BenchError(
            f"minutes: {question.minutes:g} was given, too few for a run on a fresh seed; "
            f"give about {math.ceil(seconds / 60)}, and what was run is used"
        )
    ranked = rank(fitting)
    limit = question.latency
    choice = choose_within(ranked, limit)
    best = choice.best
    anchors = against_anchors(best, sizes.anchor_bytes)
    learned = None
    for anchor in anchors:
        if anchor["name"] == "mean":
            learned = anchor["beaten"]
    return {
        "dataset": question.base.dataset,
        "entities": facts["entities"],
        "entities_chosen": facts["entities_chosen"],
        "warnings": evidence.data.warnings,
        "features": question.base.features,
        "split": question.base.split,
        "memory": question.memory,
        "latency_limit_us": limit,
        "minutes": question.minutes,
        "study": question.name,
        "measure": "Brier score" if question.base.task == "binary" else "MSE",
        "n_values": sizes.n_values,
        "part": evidence.part,
        "exact": exact(sizes, question, confirmed),
        "latency_met": None if limit is None else best.micros <= limit,
        "best": best.as_json(),
        "choice": _reasons(choice),
        "rivals": against_rivals(choice, limit),
        "front": on_front(_quick(ranked, limit) or ranked, best),
        "anchors": anchors,
        "learned": learned,
        "left_out": evidence.left_out,
        "refused": list(evidence.refused),
        "skipped": runs.skipped,
        "python": python(question, best.served, sizes.seen, evidence.data.reader),
    }


def _quick(ranked: Sequence[Contestant], limit: float | None) -> list[Contestant]:
    """Return those that meet the limit of latency, in microseconds; all where there is none."""
    if limit is None:
        return list(ranked)
    return [contestant for contestant in ranked if contestant.micros <= limit]


def choose_within(ranked: Sequence[Contestant], limit: float | None) -> Choice:
    """Name one of those that meet the limit of latency; where none does, the fastest of all.

    ranked: the one with the lowest validation MSE first.
    """
    quick = _quick(ranked, limit)
    if quick:
        choice = choose(quick)
    else:
        fastest = min(ranked, key=lambda contestant: contestant.micros)
        choice = Choice(
            order=(fastest,),
            n_compared=len(ranked),
            n_equal=1,
            n_as_fast=1,
            lowest=ranked[0],
            reason="latency",
        )
    equals = choice.order[: choice.n_equal]
    others = [contestant for contestant in ranked if contestant not in equals]
    return replace(choice, order=(*equals, *others))


def _reasons(choice: Choice) -> dict[str, Any]:
    """Return why the best one is named, as JSON can hold it."""
    return {
        "reason": choice.reason,
        "n_compared": choice.n_compared,
        "n_equal": choice.n_equal,
        "n_as_fast": choice.n_as_fast,
        "is_lowest": choice.lowest is choice.best,
    }


def against_rivals(choice: Choice, limit: float | None) -> list[dict[str, Any]]:
    """Compare each rival with the best, Holm-corrected over all rivals.

    A difference is the MSE of the rival minus that of the best. `among_best` are the rivals that
    may be the best on test, None where that cannot be told. `equal` are the rivals that
    validation cannot tell from the one with the lowest validation MSE, `is_lowest`.
    """
    best, *rivals = choice.order
    quick = _quick(rivals, limit)
    tests = compare_all(best.test, [rival.test for rival in rivals])
    among_best = best_set([best.test, *(rival.test for rival in rivals)]).members[1:]
    compared = []
    for place, (rival, test) in enumerate(zip(rivals, rows_of(tests), strict=True), start=1):
        facts = rival.as_json()
        facts["against_best"] = json_values(test)
        facts["meets_latency"] = rival in quick
        facts["equal"] = place < choice.n_equal
        facts["is_lowest"] = rival is choice.lowest
        facts["among_best"] = among_best[place - 1]
        compared.append(facts)
    return compared


def on_front(ranked: Sequence[Contestant], best: Contestant) -> list[dict[str, Any]]:
    """Return those that none beats in both bytes and validation MSE, and the best.

    The smallest comes first. `on_front` is false for a best one that another one beats.
    """
    frame = pd.DataFrame([contestant.row for contestant in ranked])
    frame = frame.assign(mse=val_means(ranked))
    chosen = []
    for contestant, is_on_front in zip(ranked, front(frame), strict=True):
        if is_on_front or contestant is best:
            facts = contestant.as_json()
            facts["on_front"] = bool(is_on_front)
            chosen.append(facts)
    chosen.sort(key=lambda facts: facts["total_bytes"])
    return chosen


def against_anchors(best: Contestant, n_bytes: Mapping[str, int]) -> list[dict[str, Any]]:
    """Compare the best with each predictor of `ANCHORS` on the same rows.

    n_bytes: the bytes in all of those that have a size; the `total_bytes` of the others is None. A
    difference is the MSE of the predictor minus that of the best. A predictor that one of the
    runs lacks, as those of old records do, is left out.
    """
    part: Part = "test" if best.row["part"] == "test" else "val"
    compared = []
    for name in ANCHORS:
        scores = anchor_scores_of(best.arm.runs, name, part)
        if len(scores) == len(best.arm.runs):
            test = compare_two(best.test, scores)
            facts = {
                "name": name,
                "mse": fmean(scores.values()),
                "total_bytes": n_bytes.get(name),
                **test._asdict(),
                "beaten": _beaten(test),
            }
            compared.append(json_values(facts))
    return compared


def _beaten(test: Difference) -> bool | None:
    """Return whether the best is better; None where nothing is known, as with one seed."""
    if math.isnan(test.p):
        return None
    return bool(test.difference > 0 and test.p < ALPHA)


def exact(sizes: Footprints, question: Question, confirmed: Sequence[Contestant]) -> dict[str, Any]:
    """Return the bytes of the exact table, and its runs on fresh seeds where there are any."""
    dims = []
    for dim in EXACT_DIMS:
        table_bytes = sizes.exact_bytes(dim)
        total_bytes = table_bytes + sizes.vocabulary_bytes
        dims.append(
            {
                "dim": dim,
                "table_bytes": table_bytes,
                "total_bytes": total_bytes,
                "fits": total_bytes <= question.memory,
            }
        )
    measured = None
    exact = exact_form(question.base)
    for contestant in confirmed:
        config = contestant.arm.config
        if (config["strategy"], config["dim"]) == (exact.strategy, exact.dim):
            measured = contestant.as_json()
            break
    return {
        "vocabulary_bytes": sizes.vocabulary_bytes,
        "dims": dims,
        "measured": measured,
    }


class Raced(NamedTuple):
    """A candidate. last: where it ran last in the race. confirmed: where it was if it was.

    total_bytes: on all rows.
    """

    last: RunConfig
    confirmed: RunConfig
    total_bytes: int


def left_out(
    question: Question,
    raced: Iterable[Raced],
    small: Iterable[Small],
    runs: Runs,
    exact_bytes: int,
) -> dict[str, Any]:
    """Return what is not among the confirmed, and why.

    exact_bytes: of the exact table on all rows.

    memory: what the memory is too small for.
    race: what fell out of the race, the last ones first.
    time: what was never run.
    failed: the errors of runs.
    largest_hashed_bytes: the size from which hashed tables were not tried, where it matters.
    """
    seed = question.seed
    fresh = range(seed + FRESH, seed + FRESH + MOST_SEEDS)
    behind: list[dict[str, Any]] = []
    never_run = []
    for candidate in raced:
        scores = runs.scores(candidate.last, range(seed, seed + FRESH))
        if scores and not runs.scores(candidate.confirmed, fresh):
            behind.append(_loser(candidate, scores))
        if not scores and runs.run_of(candidate.last, seed) is None:
            never_run.append(_label(candidate.last))
    behind.sort(key=lambda loser: (-loser["fraction"], -loser["n"], loser["val_mse"]))
    too_large = []
    for one in small:
        too_large.append({"label": _label(one.config), "works": one.works})
    largest = LARGEST * exact_bytes
    return {
        "memory": too_large,
        "race": behind,
        "time": never_run,
        "failed": sorted({str(record.error) for record in runs.failures()}),
        "largest_hashed_bytes": largest if largest < question.memory else None,
    }


def _loser(candidate: Raced, scores: Scores) -> dict[str, Any]:
    return {
        "label": _label(candidate.last),
        "fraction": candidate.last.rows_fraction,
        "total_bytes": candidate.total_bytes,
        "val_mse": fmean(scores.values()),
        "n": len(scores),
    }


def _label(config: RunConfig) -> str:
    return plain_label(config.to_dict(), {})

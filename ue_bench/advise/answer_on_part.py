"""The answer where runs used a part of the rows: what it leaves out, and what all rows will give.

Errors, intervals and tests are those on the part. Bytes and latency are those on all rows.
"""

from collections.abc import Sequence
from dataclasses import replace
from statistics import fmean
from typing import Any

from ue_bench.advise.answer import Evidence, Raced, answer_from, left_out
from ue_bench.advise.candidates import exact_form
from ue_bench.advise.contestants import Whole, contestants
from ue_bench.advise.extrapolation import Point, extrapolate
from ue_bench.advise.rounds import FRESH, MOST_SEEDS
from ue_bench.advise.rungs import Rung, Rungs, confirmed_at
from ue_bench.advise.runs import Runs, Shape, shape
from ue_bench.config import RunConfig
from ue_bench.record import Record
from ue_bench.report.evidence.arms import Arm, collect

Facts = dict[str, Any]


def answer_on_part(rungs: Rungs, runs: Runs) -> Facts:
    """Return the answer with its evidence, as JSON can hold it.

    It is that on the largest part on which configurations were confirmed. Raises BenchError where
    no run on fresh seeds ended well.
    """
    question = rungs.question
    fraction = confirmed_at(runs, question) or rungs.fractions[0]
    rung = rungs.at(fraction)
    on_part = [run for run in runs.records.values() if run.config.rows_fraction == fraction]
    arms = collect(on_part)

    def whole_of(arm: Arm) -> Whole | None:
        config = rungs.served(arm.runs[0].config)
        if config is None:
            return None
        timed = runs.ok(replace(config, measure="latency"), question.seed)
        timings = () if timed is None else (timed,)
        return Whole(config, rungs.whole.footprints.bytes_of(config), timings)

    confirmed = [arm for arm in arms.kept if arm.comparison.phase == "confirm"]
    evidence = Evidence(
        data=rung.sizes,
        footprints=rungs.whole.footprints,
        confirmed=contestants(confirmed, whole_of if fraction < 1 else None),
        refused=arms.refused,
        left_out=_left_out(rungs, rung, runs),
        part=_part(rungs, rung, runs),
    )
    answer = answer_from(question, evidence, runs)
    for arm in (answer["best"], *answer["rivals"]):
        arm["forecast"] = _forecast(arm["run_ids"], rungs, runs)
    return answer


def _part(rungs: Rungs, rung: Rung, runs: Runs) -> Facts:
    """Return which rows were used, by which rule, and how far the part is from the whole.

    rows_a_value: by feature, in all rows and in the part.
    """
    n_rows = rungs.whole.rows.n_rows
    n_part = rung.sizes.n_rows
    rows_a_value = {}
    for whole, part in zip(rungs.whole.rows.features, rung.sizes.seen, strict=True):
        in_whole = n_rows / whole.cardinality
        rows_a_value[whole.name] = [in_whole, n_part / part.cardinality]
    thinned = rung.sizes.facts.get("thinned") or rungs.first.sizes.facts["thinned"]
    return {
        "by": thinned["by"],
        "of": n_rows,
        "rows": n_part,
        "fraction": rung.question.base.rows_fraction,
        "memory": rung.question.memory,
        "values": rungs.whole.share(rung.sizes),
        "rows_a_value": rows_a_value,
        "race": _race(runs, rungs),
    }


def _race(runs: Runs, rungs: Rungs) -> list[Facts]:
    """Return how many configurations ran on each part in the race, the smallest part first."""
    shapes: dict[float, set[Shape]] = {}
    rows: dict[float, int] = {}
    for run, record in runs.records.items():
        if record.status == "ok" and run.measure != "latency" and run.seed < _fresh(rungs).start:
            shapes.setdefault(run.shape.rows_fraction, set()).add(run.shape)
            rows[run.shape.rows_fraction] = sum(record.found["n_rows"].values())
    return [
        {"fraction": fraction, "rows": rows[fraction], "configurations": len(shapes[fraction])}
        for fraction in sorted(shapes)
    ]


def _fresh(rungs: Rungs) -> range:
    first = rungs.question.seed + FRESH
    return range(first, first + MOST_SEEDS)


def _forecast(run_ids: Sequence[str], rungs: Rungs, runs: Runs) -> Facts | None:
    """Return what all rows will give for an arm, from the runs of its form on fresh seeds.

    A smaller table ran on one part alone. On the parts below it is taken to differ from the largest
    table of its form as it does there.

    None for an arm on all rows, and where there are too few runs.
    """
    config = next(run.config for run in runs.records.values() if run.run_id == run_ids[0])
    fraction = config.rows_fraction
    if fraction == 1:
        return None
    points = _points(config, rungs, runs)
    largest = _sized(config, rungs, fraction)
    there = _points(largest, rungs, runs) if largest is not None else []
    if not points or not there:
        return None
    apart = fmean(point.ratio for point in points) / fmean(point.ratio for point in there)
    for smaller in rungs.fractions[: rungs.fractions.index(fraction)]:
        table = _sized(config, rungs, smaller)
        for point in _points(table, rungs, runs) if table is not None else []:
            points.append(Point(point.rows, apart * point.ratio))
    rows = rungs.whole.rows
    extrapolated = extrapolate(points, rows.n_rows, rows.mean_mse)
    return None if extrapolated is None else extrapolated._asdict()


def _points(config: RunConfig, rungs: Rungs, runs: Runs) -> list[Point]:
    """Return the runs of a configuration on fresh seeds."""
    records = [runs.ok(config, seed) for seed in _fresh(rungs)]
    return [point_of(record) for record in records if record is not None]


def _sized(config: RunConfig, rungs: Rungs, fraction: float) -> RunConfig | None:
    """Return the form of a configuration at the full memory of a part of the rows."""
    return next(iter(rungs.at(fraction).sized([config])), None)


def point_of(record: Record) -> Point:
    """Return the error of a run beside that of the training mean, on test rows if there are any."""
    mean = record.quality["anchors"]["mean"]
    score = "val_mse" if record.quality["test_mse"] is None else "test_mse"
    rows = sum(record.found["n_rows"].values())
    return Point(rows=rows, ratio=record.quality[score] / mean[score])


def _left_out(rungs: Rungs, rung: Rung, runs: Runs) -> Facts:
    """Return what is not among the confirmed, and why.

    rung: on which configurations were confirmed.
    """
    footprints = rungs.whole.footprints
    first = rungs.first
    share = rungs.whole.share(first.sizes)
    raced = []
    for candidate in first.candidates.fits:
        last = _last_in_race(candidate.config, rungs, runs)
        confirmed = _sized(candidate.config, rungs, rung.question.base.rows_fraction)
        raced.append(Raced(last, confirmed or last, round(candidate.total_bytes / share)))
    small = []
    for one in first.candidates.small:
        small.append(replace(one, works=round(one.works / share)))
    exact_bytes = footprints.exact_bytes(exact_form(rungs.question.base).dim)
    return left_out(rungs.question, raced, small, runs, exact_bytes)


def _last_in_race(candidate: RunConfig, rungs: Rungs, runs: Runs) -> RunConfig:
    """Return a candidate as it ran on the largest part on which it did in the race."""
    asked = shape(candidate).form
    seed = rungs.question.seed
    ran = {candidate.rows_fraction: candidate}
    for run, record in runs.records.items():
        if run.seed == seed and run.measure != "latency" and run.shape.form == asked:
            ran[run.shape.rows_fraction] = record.config
    return ran[max(ran)]

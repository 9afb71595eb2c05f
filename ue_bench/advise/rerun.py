"""Runs of a submission that somebody else makes again, and the evidence that is kept of them.

`rerun.json` lies beside `submission.toml`. It says which runs were made again, when, with which
versions, what they gave, and the intervals that had to hold it. These follow from the records of
the submission, so that whoever reads both can check them. A file of text can be forged as a whole:
what proves a submission is to make the runs once more.
"""

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from math import isclose
from secrets import SystemRandom
from statistics import median
from typing import Any

import msgspec

from ue_bench.advise.community_folder import ABOUT
from ue_bench.advise.pinned_versions import PINNED, versions_in
from ue_bench.advise.submission import EVIDENCE, PARTS, Submission, write_about
from ue_bench.errors import BenchError
from ue_bench.record import Record
from ue_bench.training.environment import environment
from ue_bench.training.run_once import run_once
from ue_bench.whole_file import read_regular, write_whole

SCORES = ("val_mse", "test_mse")
LARGEST_EVIDENCE = 1_000_000  # bytes of rerun.json
_TIME = "%Y-%m-%dT%H:%M:%SZ"


class Score(msgspec.Struct, forbid_unknown_fields=True, frozen=True):
    """What a run that was made again gave, and the interval that had to hold it."""

    now: float
    low: float
    high: float

    @property
    def is_within(self) -> bool:
        """Whether the interval holds it."""
        return self.low <= self.now <= self.high


class RunAgain(msgspec.Struct, forbid_unknown_fields=True, frozen=True):
    """A run that was made again, as `rerun.json` names it. seed: its first seed."""

    run_id: str
    seed: int
    val_mse: Score
    test_mse: Score


class RerunEvidence(msgspec.Struct, forbid_unknown_fields=True, frozen=True):
    """What `rerun.json` says. env: where the runs were made, and when, as in a record."""

    env: dict[str, Any]
    runs: list[RunAgain]


@dataclass(frozen=True)
class Again:
    """A run that was made again. before: its record.

    scores: what it gave, by name. differs: what is not as the record says, by name.
    """

    before: Record
    scores: Mapping[str, Score]
    differs: tuple[str, ...]

    @property
    def label(self) -> str:
        """The arm in words."""
        return _label(self.before)

    @property
    def seed(self) -> int:
        """The first seed of the run."""
        return self.before.config.init_seed


def rerun(submission: Submission, seeds: int) -> Iterator[Again]:
    """Make confirmed runs of a submission without fault again, and yield what they give.

    Each arm is run on so many of its seeds, drawn at random, which nobody knew before. A score may
    differ by what CPUs and releases of torch do to it: a tenth of the standard deviation of its arm
    over seeds, judged by the median, which a few seeds cannot widen. Bytes must be equal. Raises
    BenchError where a run that was made again has no such score.
    """
    for runs in _arms(submission).values():
        allowed = _allowed(runs)
        chosen = SystemRandom().sample(runs, min(seeds, len(runs)))
        for run in sorted(chosen, key=lambda run: run.config.init_seed):
            now = run_once(run.config)
            scores = {}
            for name in SCORES:
                score = now.quality.get(name)
                if score is None:
                    raise BenchError(
                        f"run {run.run_id}: its record has a {name}, and the run has none when it "
                        "is made again; delete the record, and make the run with ue-bench rank"
                    )
                scores[name] = Score(score, *_interval(run, name, allowed))
            yield Again(run, scores, tuple(_differing(run, now, scores)))


def keep(submission: Submission, made: Sequence[Again]) -> bool:
    """Write whether the submission is verified, with the evidence where it is; return that.

    It is where all runs that were made again are as before, and there are some.
    """
    path = submission.folder / EVIDENCE
    about = submission.about
    about.verified = bool(made) and not any(again.differs for again in made)
    if about.verified:
        runs = []
        for again in made:
            runs.append(RunAgain(again.before.run_id, again.seed, **again.scores))
        content = msgspec.json.encode(RerunEvidence(environment(None), runs))
        write_whole(path, msgspec.json.format(content, indent=1) + b"\n")
        write_about(submission.folder, about)
    else:
        write_about(submission.folder, about)
        path.unlink(missing_ok=True)
    return about.verified


def is_verified(submission: Submission) -> bool:
    """Return whether a submission says that it is verified, with evidence without fault."""
    return submission.about.verified and not any(faults_of_evidence(submission))


def faults_of_evidence(submission: Submission) -> Iterator[str]:
    """Yield what of `verified` and its evidence does not follow from the records."""
    path = submission.folder / EVIDENCE
    if not submission.about.verified:
        if path.exists():
            yield f"{EVIDENCE}: {ABOUT} says verified = false; delete {EVIDENCE}"
        return
    try:
        content = read_regular(path, LARGEST_EVIDENCE)
    except FileNotFoundError:
        yield (
            f"{ABOUT}: verified = true without {EVIDENCE}; write false: ue-bench rerun writes "
            "both, and nobody does by hand"
        )
        return
    except OSError as error:
        yield f"{EVIDENCE}: it cannot be read ({error.strerror or error})"
        return
    try:
        evidence = msgspec.json.decode(content, type=RerunEvidence)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        yield f"{EVIDENCE}: it does not say what it must ({error})"
        return
    yield from _faults_of_env(submission, evidence)
    yield from _faults_of_runs(submission, evidence)


def _faults_of_env(submission: Submission, evidence: RerunEvidence) -> Iterator[str]:
    """Yield what the evidence does not say of where and when, and a time before the runs."""
    for name in PINNED:
        if name not in versions_in(evidence.env):
            yield f"{EVIDENCE}: it does not say its version of {name}"
    made = _time_of(evidence.env)
    if made is None:
        yield f"{EVIDENCE}: it does not say when its runs were made"
        return
    times = [_time_of(run.env) for run in submission.runs]
    last = max((time for time in times if time is not None), default=made)
    if made < last:
        yield f"{EVIDENCE}: it is of {made}, and the submission has a run of {last}"


def _faults_of_runs(submission: Submission, evidence: RerunEvidence) -> Iterator[str]:
    """Yield what is not that of the records, and which arm has no run that was made again."""
    arms = _arms(submission)
    arm_of = {run.run_id: (arm, run) for arm, runs in arms.items() for run in runs}
    again: dict[str, set[str]] = defaultdict(set)
    for run in evidence.runs:
        where = f"{EVIDENCE}: run {run.run_id}"
        if run.run_id not in arm_of:
            yield f"{where}: the submission has no such run on a fresh seed"
            continue
        arm, before = arm_of[run.run_id]
        if run.run_id in again[arm]:
            yield f"{where}: it is there twice"
        again[arm].add(run.run_id)
        if run.seed != before.config.init_seed:
            yield f"{where}: its seed is {before.config.init_seed}, not {run.seed}"
        allowed = _allowed(arms[arm])
        for name in SCORES:
            score: Score = getattr(run, name)
            low, high = _interval(before, name, allowed)
            if not (_same(score.low, low) and _same(score.high, high)):
                yield (
                    f"{where}: by the records {name} had to lie in {low:.6f} to {high:.6f}, not in "
                    f"{score.low:.6f} to {score.high:.6f}"
                )
            elif not score.is_within:
                yield f"{where}: {name} {score.now:.6f} is not in {low:.6f} to {high:.6f}"
    for arm, runs in arms.items():
        if not again[arm]:
            yield f"{EVIDENCE}: {_label(runs[0])}: no run of it was made again"


def _arms(submission: Submission) -> dict[str, list[Record]]:
    """Return the runs on fresh seeds that ended well, by the id of their arm."""
    arms = defaultdict(list)
    for run in submission.runs:
        has_scores = all(run.quality.get(name) is not None for name in SCORES)
        if run.phase == "confirm" and run.status == "ok" and has_scores:
            arms[run.config.with_seed(0).run_id].append(run)
    return arms


def _label(run: Record) -> str:
    config = run.config
    return f"{config.strategy} {config.regions}, {config.budget} bytes"


def _allowed(runs: Sequence[Record]) -> dict[str, float]:
    """Return by how much a score of an arm may differ, by name. runs: all of the arm."""
    return {name: 0.1 * _spread([run.quality[name] for run in runs]) for name in SCORES}


def _spread(scores: Sequence[float]) -> float:
    """Return the standard deviation of a normal distribution with this median deviation."""
    middle = median(scores)
    return 1.4826 * median([abs(score - middle) for score in scores])


def _interval(run: Record, name: str, allowed: Mapping[str, float]) -> tuple[float, float]:
    return run.quality[name] - allowed[name], run.quality[name] + allowed[name]


def _differing(before: Record, now: Record, scores: Mapping[str, Score]) -> Iterator[str]:
    """Yield the names of what a run that was made again does not give as before."""
    for name in SCORES:
        if not scores[name].is_within:
            yield name
    for name in PARTS:
        if now.cost[name] != before.cost[name]:
            yield name
    if now.found["exact_table_bytes"] != before.found["exact_table_bytes"]:
        yield "exact_table_bytes"


def _same(value: float, other: float) -> bool:
    """Return whether two numbers are equal but for the order in which they were added."""
    return isclose(value, other, rel_tol=1e-9, abs_tol=1e-12)


def _time_of(env: Mapping[str, Any]) -> datetime | None:
    """Return the time that the `env` of a record names; None where it names none."""
    try:
        return datetime.strptime(env.get("time", ""), _TIME)
    except (TypeError, ValueError):
        return None

"""What a search reads of records: its trials, their validation scores, and which are best."""

import json
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any, NamedTuple

from ue_bench.config import RunConfig
from ue_bench.config.ranges import to_json
from ue_bench.record import Record
from ue_bench.study import Search

# Of what a run met: its trial, its setting, and what says which data it was made on.
_SEEN = ("trial", "setting", "checksum", "rows_checksum")
_NOWHERE: dict[str, Any] = {}  # the environment of a blind record: one for all of them


class Leader(NamedTuple):
    """The best trial of the batches before, by validation MSE.

    first: of its first run. mean: over all its runs.
    """

    first: float
    mean: float


@dataclass(frozen=True)
class Answered:
    """A trial whose runs have ended.

    number: its place in the order of the search's trials. config: its configuration at the first
    of its seeds. records: one a run, in the order of the seeds, each `blind`; only the
    first one where that did not end well or was too bad. leader: what it was too bad beside; None:
    it was not.
    """

    number: int
    config: RunConfig
    records: tuple[Record, ...]
    leader: Leader | None = None

    @property
    def run_id(self) -> str:
        """The id of the trial's configuration at its first seed."""
        return self.config.run_id

    @property
    def ok(self) -> bool:
        """Whether all runs ended well. Otherwise the trial has no value."""
        return all(record.status == "ok" for record in self.records)

    @property
    def fault(self) -> Record | None:
        """The record of the first run that did not end well."""
        return next((record for record in self.records if record.status != "ok"), None)


def blind(record: Record) -> Record:
    """Return what a study that runs sees of a record, with no score but those of validation.

    No choice can thus rest on a test score. What no choice needs is left out, since a whole record
    has some 15 kB, and a study has thousands of them. A blind record is returned as it is.
    """
    if record.env is _NOWHERE:
        return record
    quality = {}
    for name in record.quality:
        if name.startswith("val_"):
            quality[name] = record.quality[name]
    found = held_once({name: record.found[name] for name in _SEEN if name in record.found})
    return replace(record, found=found, quality=quality, cost={}, env=_NOWHERE)


def held_once(value: Any) -> Any:
    """Return a value of a record, the same object for all equal ones, which nobody may change.

    So are its parts: trials of one search differ in their number alone.
    """
    return _of_text(json.dumps(value))


@lru_cache(maxsize=256)  # each with its text, some kB: those of the trials under way
def _of_text(text: str) -> Any:
    value = json.loads(text)
    if isinstance(value, dict):
        return {name: held_once(part) for name, part in value.items()}
    return value


def val_mse(records: Sequence[Record]) -> float:
    """Return the mean validation MSE of these runs."""
    return math.fsum(record.quality["val_mse"] for record in records) / len(records)


def runs_of(config: RunConfig, search: Search) -> list[RunConfig]:
    """Return the runs of a trial. config: its configuration at the first of its seeds."""
    first = config.init_seed
    return [config.with_seed(seed) for seed in range(first, first + search.trial_seeds)]


def trial_runs(config: RunConfig, search: Search, leader: Leader | None) -> list[RunConfig]:
    """Return the runs of a trial as they are made: the first one may give up.

    config: as in `runs_of`. leader: the best of the batches before.
    """
    first, *others = runs_of(config, search)
    if search.give_up is not None and leader is not None:
        epochs, worse = search.give_up
        above = leader.first + worse
        first = replace(first, give_up_epochs=epochs, give_up_above=above)
    return [first, *others]


def _whole(run: RunConfig) -> RunConfig:
    """Return a run as it is where it does not give up."""
    return replace(run, give_up_epochs=None, give_up_above=None)


def trial_facts(search: Search, base: RunConfig, number: int) -> dict[str, Any]:
    """Return what the record of a trial's run says about its trial.

    base: the configuration that the search starts from, at the first seed of the trials; its id is
    `default`. number: the place of the trial in the order of the search's trials. All else is equal
    for the trials of one search, and different for those of another one from the same base.
    """
    return {
        "number": number,
        "default": base.run_id,
        "seeds": [run.init_seed for run in runs_of(base, search)],
        "sampler": "tpe",
        "startup": search.startup,
        "batch": search.batch,
        "total": None,
        "objectives": ["quality.val_mse"],
        "varies": sorted(search.space),
        "space": {name: to_json(search.space[name]) for name in sorted(search.space)},
        **({} if search.margin is None else {"margin": search.margin}),
        **({} if search.give_up is None else {"give_up": list(search.give_up)}),
    }


def known_trials(
    records: Mapping[str, Record], base: RunConfig, search: Search
) -> tuple[list[Answered], int]:
    """Return the trials of this search that all ended well, and the number of the next new one.

    records: by run id. base: what the search starts from. The trials come in the order of their
    numbers; a trial with a run that is missing is left out, unless its first one was too bad for
    others.
    """
    expected = trial_facts(search, base, 0)
    first_seed = base.init_seed
    firsts = []
    last = -1
    for record in records.values():
        if record.config.init_seed != first_seed or record.phase != "search":
            continue
        facts = record.found.get("trial", {})
        number = facts.get("number")
        if number is None or facts | {"number": 0} != expected:
            continue
        last = max(last, number)
        firsts.append((number, record))
    firsts.sort(key=lambda first: (first[0], first[1].run_id))
    trials: list[Answered] = []
    for number, record in firsts:
        before = [trial for trial in trials if trial.number < search.batch_start(number)]
        leader = leader_of(before, search)
        runs = trial_runs(_whole(record.config), search, leader)
        trial = answered(number, runs, records, search, leader)
        if trial is not None and trial.ok:
            trials.append(trial)
    return trials, last + 1


def leader_of(trials: Iterable[Answered], search: Search) -> Leader | None:
    """Return the best of the trials with all runs; None: there is none, or no margin to keep."""
    best = None
    if search.margin is not None:
        for trial in trials:
            if trial.ok and trial.leader is None:
                first = val_mse(trial.records[:1])
                leader = Leader(first, val_mse(trial.records))
                if best is None or leader.mean < best.mean:
                    best = leader
    return best


def answered(
    number: int,
    runs: Iterable[RunConfig],
    records: Mapping[str, Record],
    search: Search,
    leader: Leader | None,
) -> Answered | None:
    """Return the trial of these runs; None where a run that it needs is missing.

    A trial whose first run does not end well, or is too bad beside the leader, needs no other.
    """
    runs = tuple(runs)
    found: list[Record] = []
    for run in runs:
        if run.run_id not in records:
            return None
        found.append(blind(records[run.run_id]))
        if len(found) > 1:
            continue
        if found[0].status != "ok":
            break
        if leader is not None and search.margin is not None:
            worse = val_mse(found) - leader.first
            if worse > search.margin:
                return Answered(number, _whole(runs[0]), tuple(found), leader)
    return Answered(number, _whole(runs[0]), tuple(found))


def value_of_trial(trial: Answered) -> float:
    """Return what a search minimises.

    Of a trial with its first run alone, that is the leader's mean and what the run is worse than
    the leader on the same seed: seeds are not equally hard.
    """
    value = val_mse(trial.records)
    if trial.leader is None:
        return value
    return value - trial.leader.first + trial.leader.mean


def best_few(trials: Iterable[Answered], search: Search) -> list[Answered]:
    """Return the best few trials with all runs."""
    whole = [trial for trial in trials if trial.leader is None]
    whole.sort(key=lambda trial: (val_mse(trial.records), trial.run_id))
    return whole[: search.best]

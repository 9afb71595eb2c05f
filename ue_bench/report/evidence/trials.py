"""The trials of searches: the runs that are one trial, and the trials that are of one search."""

import math
from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from ue_bench.config import GIVE_UP, SEEDS
from ue_bench.record import Record
from ue_bench.record.same_text import same_text


@dataclass(frozen=True)
class Trial:
    """One configuration that a search tried.

    search: a text that is equal for all trials of one search and for no others.
    records: one a run, in the order of their seeds. best: of a trial that was too bad for more than
    its first run, the records of the best one of its search, which has all; empty for others.
    """

    search: str
    records: tuple[Record, ...]
    best: tuple[Record, ...] = ()

    @property
    def sample(self) -> Record:
        """Any one record of the trial, for what does not depend on a seed."""
        return self.records[0]

    @property
    def number(self) -> int:
        """Its place in the order of the search."""
        return facts(self.sample)["number"]

    @property
    def run_id(self) -> str:
        """The id of its first run, which stands for its configuration."""
        return self.sample.run_id

    @property
    def val_mse(self) -> float:
        """The validation MSE, a mean over its runs: what the search minimised."""
        return self.mean("val_mse")

    def mean(self, score: str) -> float:
        """Return the mean of a score over the runs, NaN where one has none.

        Of the first run alone, it is the mean of the best trial and what the run is worse than that
        one on the same seed: seeds are not equally hard.
        """
        if self.best:
            first = _mean(self.records, score) - _mean(self.best[:1], score)
            return _mean(self.best, score) + first
        return _mean(self.records, score)


def _mean(records: Sequence[Record], score: str) -> float:
    scores = []
    for run in records:
        value = run.quality.get(score)
        scores.append(math.nan if value is None else float(value))
    return sum(scores) / len(scores)


def facts(record: Record) -> dict[str, Any]:
    """Return what the record of a trial's run says of its trial; empty where it does not say.

    See `study.search_records.trial_facts` for the keys. Records of earlier versions have fewer, or
    none.
    """
    return record.found.get("trial", {})


def search_of(record: Record) -> str:
    """Return a text that is equal for all trials of one search and for no others.

    It holds what was asked, without what the search varied, and what the trial says of its search.
    """
    about = without(facts(record), {"number"})
    varied = {"lookups", *GIVE_UP}
    for name in about.get("varies", ()):
        varied.add(name.partition(".")[0])
    if "seeds" in about:
        varied |= set(SEEDS)
    asked = without(record.config.by_name(), varied)
    return same_text([record.study, asked, about])


def tried(record: Record) -> str:
    """Return a text that is equal for the runs of one trial of a search and for no others."""
    return same_text(without(record.config.by_name(), {*SEEDS, *GIVE_UP}))


def trials_of(search: Iterable[Record]) -> list[Trial]:
    """Return the trials whose records say of which search they are, in the order of the records.

    A trial with a run that did not end well, or that is missing, has no value and is left out. In a
    search with a margin its first run alone is a trial that was too bad for more.
    """
    runs: dict[tuple[str, str], list[Record]] = defaultdict(list)
    for record in search:
        if facts(record) and record.quality.get("val_mse") is not None:
            config = tried(record)
            runs[search_of(record), config].append(record)
    found = []
    best: dict[str, Trial] = {}  # of each search, of those with all runs
    for (name, _), records in runs.items():
        records.sort(key=lambda record: record.config.init_seed)
        trial = Trial(name, tuple(records))
        if not _is_first_alone(records):
            wanted = facts(records[0]).get("seeds")
            if wanted is not None and wanted != _seeds(records):
                continue
            if name not in best or _order(trial) < _order(best[name]):
                best[name] = trial
        found.append(trial)
    trials = []
    for trial in found:
        if not _is_first_alone(trial.records):
            trials.append(trial)
        elif trial.search in best:
            trials.append(replace(trial, best=best[trial.search].records))
    return trials


def _is_first_alone(records: Sequence[Record]) -> bool:
    """Return whether these runs are the first one of a trial that its search ended there."""
    about = facts(records[0])
    wanted = about.get("seeds", [])
    return "margin" in about and len(wanted) > 1 and _seeds(records) == wanted[:1]


def _seeds(records: Iterable[Record]) -> list[int]:
    return [record.config.init_seed for record in records]


def _order(trial: Trial) -> tuple[float, str]:
    return trial.val_mse, trial.run_id


def without(fields: Mapping[str, Any], names: Collection[str]) -> dict[str, Any]:
    """Return the fields of other names."""
    return {name: value for name, value in fields.items() if name not in names}

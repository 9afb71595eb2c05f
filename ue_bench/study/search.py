"""Optuna, here and in `importance` alone: proposes configurations and is told what they gave, again and again from records."""

import sqlite3
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

import optuna
from optuna.distributions import BaseDistribution, CategoricalDistribution, IntDistribution
from optuna.exceptions import OptunaError, StorageInternalError
from optuna.trial import TrialState
from sqlalchemy.exc import SQLAlchemyError

from ue_bench.config import RunConfig
from ue_bench.config.lookups import apportion
from ue_bench.errors import BenchError
from ue_bench.progress import note
from ue_bench.record import Record
from ue_bench.study import Search
from ue_bench.training.resolve import resolve

PROPOSALS = 20  # a sampler that proposes this many times the trials wanted, without finding new ones, has seen the space


# What is wrong with Optuna's file from outside. With any other fault it is the file's content, which can be made anew.
OUTSIDE = {
    sqlite3.SQLITE_BUSY,
    sqlite3.SQLITE_LOCKED,
    sqlite3.SQLITE_READONLY,
    sqlite3.SQLITE_FULL,
    sqlite3.SQLITE_CANTOPEN,
    sqlite3.SQLITE_IOERR,
    sqlite3.SQLITE_PERM,
}


class Sampler:
    """The Optuna study of one search, in the SQLite file `storage`, made anew and told of every record in `known`.

    What it proposes follows from the search, the seed, and what it was told in which order. A file that is damaged is made anew.
    Raises BenchError where the file cannot be used, here and in every method.
    """

    def __init__(
        self, search: Search, base: RunConfig, storage: Path, seed: int, known: Iterable[Record]
    ) -> None:
        self.search, self.base, self.storage = search, base, storage
        optuna.logging.set_verbosity(optuna.logging.WARNING)
        self.space = distributions(search)
        self.complete: list[dict[str, Any]] = []  # parameters of what the study was told
        with _told(storage):
            try:
                self.study = self._begin()
            except (
                SQLAlchemyError,
                OptunaError,
                RuntimeError,
            ) as error:  # Optuna's own for a table of another version
                if _sqlite_code(error) in OUTSIDE:
                    raise
                note(f"{storage}: {_root(error)}; it is made anew from the records")
                for path in storage.parent.glob(f"{storage.name}*"):  # with its journal
                    path.unlink()
                self.study = self._begin()
        self.asked = len(self.study.get_trials(deepcopy=False))
        self._samplers = {False: make_sampler(search, seed), True: random_sampler(seed)}
        self._seen: set[str] = set()
        self._repeated = False  # whether the last proposal was one that had been made before
        self.learn(known)

    def _begin(self) -> optuna.Study:
        """An empty study; but one that has seen its whole space before is left as it is."""
        search, base = self.search, self.base
        label = f"{base.run_id} {','.join(search.objectives)} {','.join(sorted(search.space))}"
        label += f" total {search.total}" * (search.total is not None) + f" {search.sampler}" * (
            search.sampler != "tpe"
        )
        storage = optuna.storages.RDBStorage(f"sqlite:///{self.storage.resolve()}")
        for _ in range(2):
            study = optuna.create_study(
                storage=storage,
                study_name=label,
                load_if_exists=True,
                directions=["minimize"] * len(search.objectives),
            )
            if not 0 < len(study.get_trials(deepcopy=False)) < PROPOSALS * search.trials:
                break
            optuna.delete_study(study_name=label, storage=storage)
        return study

    @property
    def exhausted(self) -> bool:
        return self.asked >= PROPOSALS * self.search.trials

    def ask(self) -> tuple[optuna.Trial, RunConfig]:
        """A trial and the configuration that it proposes. After one that was proposed before, it proposes at random."""
        self.asked += 1
        with _told(self.storage):
            self.study.sampler = self._samplers[self._repeated]
            trial = self.study.ask(self.space)
        config = configure(self.base, trial.params, self.search.total)
        self._repeated = config.run_id in self._seen
        self._seen.add(config.run_id)
        return trial, config

    def tell(self, trial: optuna.Trial, record: Record | None) -> None:
        """What the trial gave; None, or a record that is not ok: nothing."""
        with _told(self.storage):
            if record is None or record.status != "ok":
                self.study.tell(trial, state=TrialState.FAIL)
            elif self.search.total is None:
                self.study.tell(trial, objectives(record, self.search))
                self.complete.append(self._params(record))
            else:  # many shares make one allocation: what was run is told, once, not what was proposed
                self.study.tell(trial, state=TrialState.FAIL)
                self.learn([record])

    def learn(self, records: Iterable[Record]) -> None:
        """Tell of records that the study does not have."""
        for record in records:
            params = self._params(record)
            if params not in self.complete:
                values = objectives(record, self.search)
                with _told(self.storage):
                    self.study.add_trial(
                        optuna.trial.create_trial(
                            params=params, distributions=self.space, values=values
                        )
                    )
                self.complete.append(params)

    def _params(self, record: Record) -> dict[str, Any]:
        return parameters(record.config, self.search)


@contextmanager
def _told(storage: Path) -> Iterator[None]:
    """Raise BenchError for what SQLite or Optuna's storage finds wrong: no record is lost with it."""
    try:
        yield
    except (SQLAlchemyError, StorageInternalError, OSError) as error:
        raise BenchError(
            f"{storage}: {_root(error)}; end what uses it or free the space, or delete it (it is made anew from the records), "
            "and run the same command again"
        ) from error


def _root(error: BaseException) -> BaseException:
    """What SQLite said, which SQLAlchemy and Optuna wrap."""
    return _root(error.__cause__) if error.__cause__ else error


def _sqlite_code(error: BaseException) -> int | None:
    code = getattr(_root(error), "sqlite_errorcode", None)
    return None if code is None else code & 0xFF  # without the detail


def make_sampler(search: Search, seed: int) -> optuna.samplers.BaseSampler:
    if (
        search.sampler == "random"
    ):  # TPE's first proposals are random too: with the same seed they would be the same
        return optuna.samplers.RandomSampler(seed=seed + 1_000_000)
    return optuna.samplers.TPESampler(seed=seed, constant_liar=True)


def random_sampler(seed: int) -> optuna.samplers.BaseSampler:
    """What proposes where a sampler repeats itself: of a run that failed TPE learns nothing, and can ask for it for ever."""
    return optuna.samplers.RandomSampler(seed=seed + 2_000_000)


def trial_facts(search: Search, number: int) -> dict[str, Any]:
    """What a record says of the trial that it answers: its place in the order of asking, and the search it belongs to."""
    return {
        "number": number,
        "sampler": search.sampler,
        "total": search.total,
        "varies": sorted(search.space),
        "objectives": list(search.objectives),
    }


def blind(record: Record) -> Record:
    """What a search is told of a run: of its quality the validation scores alone, so that no choice can rest on a test score."""
    return replace(
        record,
        quality={name: record.quality[name] for name in record.quality if name.startswith("val_")},
    )


def objectives(record: Record, search: Search) -> list[float]:
    """The numbers that a search minimises."""
    found = []
    for key in search.objectives:
        room, name = key.split(".")
        found.append(float(getattr(record, room)[name]))
    return found


def belongs(record: Record, base: RunConfig, search: Search) -> bool:
    """Whether a record answers a trial of the search from `base`, whoever asked for it: equal but for what the space varies.

    A trial that another sampler asked for does not.
    """
    if (
        record.status != "ok"
        or record.found.get("trial", {}).get("sampler", search.sampler) != search.sampler
    ):
        return False
    varied = {name.split(".")[0] for name in search.space}
    config = record.config
    same = all(
        getattr(config, f.name) == getattr(base, f.name)
        for f in fields(RunConfig)
        if f.name not in varied
    )
    total = sum(_get(config, f"lookups.{name}") for name in search.features)
    within = all(_get(config, name) in allowed for name, allowed in search.space.items())
    return same and within and search.total in (None, total)


def best_few(records: Iterable[Record], search: Search) -> list[Record]:
    """The best few by the first objective; with several objectives, of those that no other record beats in all."""
    scored = [(objectives(record, search), record) for record in records]
    front = [
        (mine, record)
        for mine, record in scored
        if not any(
            all(o <= m for o, m in zip(other, mine, strict=True)) and other != mine
            for other, _ in scored
        )
    ]
    ranked = sorted(
        scored if len(search.objectives) == 1 else front, key=lambda pair: (pair[0], pair[1].run_id)
    )
    return [record for _, record in ranked[: search.best]]


def distributions(search: Search) -> dict[str, BaseDistribution]:
    """The space of a search as Optuna has it."""
    return {name: _distribution(allowed) for name, allowed in search.space.items()}


def parameters(config: RunConfig, search: Search) -> dict[str, Any]:
    """What a search varies, as a configuration has it."""
    return {name: _get(config, name) for name in search.space}


def _distribution(allowed: tuple[Any, ...]) -> BaseDistribution:
    whole = all(type(value) is int for value in allowed)  # and no truth value
    if whole and allowed == tuple(range(allowed[0], allowed[0] + len(allowed))):
        return IntDistribution(allowed[0], allowed[-1])
    return CategoricalDistribution(allowed)


def _get(config: RunConfig, name: str) -> Any:
    """The value of a config field, of `lookups.FEATURE` or of `options.KNOB`."""
    field, dot, key = name.partition(".")
    value = getattr(config, field)
    if not dot:
        return value
    if field == "lookups":
        return value.get(key, 1) if isinstance(value, dict) else value
    return value.get(key)


def configure(base: RunConfig, chosen: Mapping[str, Any], total: int | None = None) -> RunConfig:
    """`base` with the chosen values in their places, resolved. With a `total` the chosen lookups are shares of what is beyond
    one for each feature; shares that sum to it are the lookups."""
    changes: dict[str, Any] = {}
    if total is not None:
        extra = {name: value - 1 for name, value in chosen.items() if name.startswith("lookups.")}
        shared = apportion(total - len(extra), extra)
        chosen = {**chosen, **{name: 1 + more for name, more in shared.items()}}
    for name, value in chosen.items():
        field, dot, key = name.partition(".")
        if dot:
            before = getattr(base, field)
            changes[field] = {
                **(before if isinstance(before, dict) else {}),
                **changes.get(field, {}),
                key: value,
            }
        else:
            changes[field] = value
    return resolve(replace(base, **changes))

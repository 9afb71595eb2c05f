"""Optuna's part of a search: it proposes configurations and learns what their runs gave."""

import sqlite3
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import optuna
from optuna.distributions import (
    BaseDistribution,
    CategoricalDistribution,
    FloatDistribution,
    IntDistribution,
)
from optuna.exceptions import StorageInternalError
from optuna.storages import BaseStorage, InMemoryStorage, RDBStorage
from optuna.study import StudyDirection
from optuna.trial import TrialState
from sqlalchemy.exc import SQLAlchemyError

from ue_bench.config import RunConfig
from ue_bench.config.ranges import Between
from ue_bench.errors import BenchError
from ue_bench.study import Search
from ue_bench.study.optuna_file import open_study, root
from ue_bench.study.search_records import Answered, values_of
from ue_bench.study.space import Knob, configure, knobs, places, value_of

# A sampler that has proposed this many times the wanted trials has seen the whole space.
PROPOSALS_PER_TRIAL = 20


class Sampler:
    """The Optuna study of one search in the SQLite file `storage`, filled with the `known` trials.

    Its proposals follow from the search, the seed, and the order in which it learns trials, and
    never from the file. A damaged file is set aside and made anew. storage: None keeps the study in
    memory. Every method raises BenchError where the file cannot be used.
    """

    def __init__(
        self,
        search: Search,
        base: RunConfig,
        storage: Path | None,
        seed: int,
        known: Iterable[Answered] = (),
    ) -> None:
        self.search = search
        self.base = base
        self.storage = storage
        optuna.logging.set_verbosity(optuna.logging.WARNING)
        with _file_errors(storage):
            self.study = self._open()
        self.proposals = 0
        self._learned: set[str] = set()  # trials whose values the study has, by their first run
        self._sampler = make_sampler(search, seed)
        self._random = random_sampler(seed)
        self._seen: set[str] = set()
        self._repeated = False  # whether the last proposal had been made before
        self.learn(known)

    def ask(self) -> tuple[optuna.Trial, RunConfig]:
        """Return a trial and the configuration that it proposes.

        After a proposal that had been made before, the next one is made at random.
        """
        self.proposals += 1
        with _file_errors(self.storage):
            self.study.sampler = self._random if self._repeated else self._sampler
            trial = self.study.ask()
            chosen = self._choose(trial)
        config = configure(self.base, chosen, self.search.total)
        self._repeated = config.run_id in self._seen
        self._seen.add(config.run_id)
        return trial, config

    def dismiss(self, trial: optuna.Trial) -> None:
        """Take a proposal back.

        What was proposed is not always what runs: numbers are rounded, and many shares make one
        allocation. The study learns what ran, once, from `learn`.
        """
        with _file_errors(self.storage):
            self.study.tell(trial, state=TrialState.FAIL)

    def learn(self, trials: Iterable[Answered]) -> None:
        """Report the values of the trials that the study does not have yet.

        A trial with a run that did not end well has no values.
        """
        for trial in trials:
            if trial.run_id in self._learned or not trial.ok:
                continue
            self._learned.add(trial.run_id)
            with _file_errors(self.storage):
                told = optuna.trial.create_trial(
                    params=parameters(trial.config, self.search),
                    distributions=distributions(trial.config, self.search),
                    values=values_of(trial, self.search),
                )
                self.study.add_trial(told)

    def _choose(self, trial: optuna.Trial) -> dict[str, Any]:
        """Return the value of each knob that the sampler chooses."""
        chosen: dict[str, Any] = {}

        def value(name: str) -> Any:
            if name in chosen:
                return chosen[name]
            return value_of(self.base, name)

        for knob in knobs(self.search, value):
            chosen[knob.name] = _suggested(trial, knob)
        return chosen

    def _open(self) -> optuna.Study:
        """Open the study; make the file anew if its content is damaged."""
        if self.storage is None:
            return self._create(InMemoryStorage())
        return open_study(self.storage, self._begin)

    def _begin(self, storage: RDBStorage) -> optuna.Study:
        """Return an empty study in the file."""
        study = self._create(storage)
        # Optuna takes the study of that name whatever its directions are.
        is_other = study.directions != self._directions
        if is_other or study.get_trials(deepcopy=False):
            optuna.delete_study(study_name=study.study_name, storage=storage)
            study = self._create(storage)
        return study

    def _create(self, storage: BaseStorage) -> optuna.Study:
        """Return the study of this search in a storage; create it if it does not exist."""
        search = self.search
        name = f"{self.base.run_id} {','.join(search.objectives)} {','.join(sorted(search.space))}"
        if search.total is not None:
            name += f" total {search.total}"
        if search.sampler != "tpe":
            name += f" {search.sampler}"
        return optuna.create_study(
            storage=storage,
            study_name=name,
            load_if_exists=True,
            directions=self._directions,
        )

    @property
    def _directions(self) -> list[StudyDirection]:
        return [StudyDirection.MINIMIZE] * len(self.search.objectives)


def make_sampler(search: Search, seed: int) -> optuna.samplers.BaseSampler:
    """Return the sampler that a search declares."""
    if search.sampler == "random":
        # The first proposals of TPE are random too, and would be the same with the same seed.
        return optuna.samplers.RandomSampler(seed=seed + 1_000_000)
    return optuna.samplers.TPESampler(
        seed=seed, n_startup_trials=search.startup, constant_liar=True
    )


def random_sampler(seed: int) -> optuna.samplers.BaseSampler:
    """Return the sampler that proposes after a repeated proposal.

    TPE learns nothing from a failed run, and could propose it forever.
    """
    return optuna.samplers.RandomSampler(seed=seed + 2_000_000)


def parameters(config: RunConfig, search: Search) -> dict[str, Any]:
    """Return the values that a configuration has in the space of a search, by Optuna's names."""
    return {knob.parameter: value for knob, value in places(config, search)}


def distributions(config: RunConfig, search: Search) -> dict[str, BaseDistribution]:
    """Return what each of `parameters` was chosen from."""
    return {knob.parameter: _distribution(knob) for knob, _ in places(config, search)}


def _distribution(knob: Knob) -> BaseDistribution:
    allowed = knob.allowed
    if isinstance(allowed, Between):
        return FloatDistribution(allowed.low, allowed.high, log=allowed.log)
    integers = all(type(value) is int for value in allowed)  # a bool is no number here
    if integers and allowed == tuple(range(allowed[0], allowed[0] + len(allowed))):
        return IntDistribution(allowed[0], allowed[-1])
    return CategoricalDistribution(allowed)


def _suggested(trial: optuna.Trial, knob: Knob) -> Any:
    """Return the value that Optuna proposes for a knob."""
    allowed = knob.allowed
    if isinstance(allowed, Between):
        number = trial.suggest_float(knob.parameter, allowed.low, allowed.high, log=allowed.log)
        return allowed.rounded(number)
    if isinstance(_distribution(knob), IntDistribution):
        return trial.suggest_int(knob.parameter, allowed[0], allowed[-1])
    return trial.suggest_categorical(knob.parameter, allowed)


@contextmanager
def _file_errors(storage: Path | None) -> Iterator[None]:
    """Raise BenchError for an error of SQLite or of Optuna's storage. No record is lost with it."""
    try:
        yield
    except (SQLAlchemyError, StorageInternalError, sqlite3.Error, OSError) as error:
        raise BenchError(
            f"{storage}: {root(error)}; end what uses it or free the space, or delete it "
            "(it is made anew from the records), and run the same command again"
        ) from error

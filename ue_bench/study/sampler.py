"""Optuna's part of a search: it proposes configurations and learns what their runs gave."""

from collections.abc import Iterable
from typing import Any

import optuna
from optuna.distributions import (
    BaseDistribution,
    CategoricalDistribution,
    FloatDistribution,
    IntDistribution,
)
from optuna.trial import TrialState

from ue_bench.config import RunConfig
from ue_bench.config.ranges import Between
from ue_bench.study import Search
from ue_bench.study.search_records import Answered, value_of_trial
from ue_bench.study.space import Knob, configure, knobs, places, value_of

# A sampler that has proposed this many times the wanted trials has seen the whole space.
PROPOSALS_PER_TRIAL = 20


class Sampler:
    """The Optuna study of one search, in memory.

    Its proposals follow from the search, the seed, and the order in which it learns trials.
    """

    def __init__(self, search: Search, base: RunConfig, seed: int) -> None:
        self.search = search
        self.base = base
        optuna.logging.set_verbosity(optuna.logging.WARNING)
        self.study = optuna.create_study()
        self.proposals = 0
        self._learned: set[str] = set()  # trials whose values the study has, by their first run
        self._sampler = make_sampler(search, seed)
        self._random = random_sampler(seed)
        self._seen: set[str] = set()
        self._repeated = False  # whether the last proposal had been made before

    def ask(self) -> tuple[optuna.Trial, RunConfig]:
        """Return a trial and the configuration that it proposes.

        After a proposal that had been made before, the next one is made at random.
        """
        self.proposals += 1
        self.study.sampler = self._random if self._repeated else self._sampler
        trial = self.study.ask()
        chosen = self._choose(trial)
        config = configure(self.base, chosen)
        self._repeated = config.run_id in self._seen
        self._seen.add(config.run_id)
        return trial, config

    def dismiss(self, trial: optuna.Trial) -> None:
        """Take a proposal back.

        What was proposed is not always what runs: numbers are rounded. The study learns
        what ran, once, from `learn`.
        """
        self.study.tell(trial, state=TrialState.FAIL)

    def learn(self, trials: Iterable[Answered]) -> None:
        """Report the values of the trials that the study does not have yet.

        A trial with a run that did not end well has no values.
        """
        for trial in trials:
            if trial.run_id in self._learned or not trial.ok:
                continue
            self._learned.add(trial.run_id)
            told = optuna.trial.create_trial(
                params=parameters(trial.config, self.search),
                distributions=distributions(trial.config, self.search),
                value=value_of_trial(trial),
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


def make_sampler(search: Search, seed: int) -> optuna.samplers.BaseSampler:
    """Return the sampler of a search."""
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

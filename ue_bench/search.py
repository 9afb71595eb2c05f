"""Optuna, here and nowhere else: proposes configurations, is told what they gave, and can be rebuilt from records."""

from collections.abc import Iterable, Mapping
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

import optuna
from optuna.distributions import BaseDistribution, CategoricalDistribution, IntDistribution
from optuna.trial import TrialState

from ue_bench.config import RunConfig
from ue_bench.record import Record
from ue_bench.run import resolve
from ue_bench.study import Search, Space

PROPOSALS = 20  # a sampler that proposes this many times the trials wanted, without finding new ones, has seen the space


class Sampler:
    """The Optuna study of one search, in the SQLite file `storage`, told of every record in `known` that it does not have."""

    def __init__(self, search: Search, base: RunConfig, storage: Path, seed: int, known: Iterable[Record]) -> None:
        self.search, self.base = search, base
        optuna.logging.set_verbosity(optuna.logging.WARNING)
        label = f"{base.run_id} {','.join(search.objectives)} {','.join(sorted(search.space))}"
        self.study = optuna.create_study(
            storage=f"sqlite:///{storage.resolve()}", study_name=label, load_if_exists=True,
            directions=["minimize"] * len(search.objectives),
        )  # fmt: skip
        for trial in self.study.get_trials(deepcopy=False, states=(TrialState.RUNNING,)):
            self.study.tell(trial.number, state=TrialState.FAIL)  # its process ended with an earlier command
        told = self.study.get_trials(deepcopy=False)
        self.asked = len(told)
        self.study.sampler = optuna.samplers.TPESampler(seed=seed + self.asked, constant_liar=True)
        complete = [trial.params for trial in told if trial.state == TrialState.COMPLETE]
        space = {name: _distribution(allowed) for name, allowed in search.space.items()}
        for record in known:
            params = {name: _get(RunConfig.from_dict(record.config), name) for name in search.space}
            if params not in complete:
                values = objectives(record, search)
                self.study.add_trial(optuna.trial.create_trial(params=params, distributions=space, values=values))

    @property
    def exhausted(self) -> bool:
        return self.asked >= PROPOSALS * self.search.trials

    def ask(self) -> tuple[optuna.Trial, RunConfig]:
        self.asked += 1
        trial = self.study.ask({name: _distribution(allowed) for name, allowed in self.search.space.items()})
        return trial, _set(self.base, trial.params)

    def tell(self, trial: optuna.Trial, record: Record | None) -> None:
        """What the trial gave; None, or a record that is not ok: nothing."""
        if record is None or record.status != "ok":
            self.study.tell(trial, state=TrialState.FAIL)
        else:
            self.study.tell(trial, objectives(record, self.search))


def objectives(record: Record, search: Search) -> list[float]:
    """The numbers that a search minimises."""
    found = []
    for key in search.objectives:
        room, name = key.split(".")
        found.append(float(getattr(record, room)[name]))
    return found


def belongs(record: Record, base: RunConfig, space: Space) -> bool:
    """Whether a record answers a trial of the search from `base`, whoever asked for it: equal but for what the space varies."""
    if record.status != "ok":
        return False
    varied = {name.split(".")[0] for name in space}
    config = RunConfig.from_dict(record.config)
    same = all(getattr(config, f.name) == getattr(base, f.name) for f in fields(RunConfig) if f.name not in varied)
    return same and all(_get(config, name) in allowed for name, allowed in space.items())


def best_few(records: Iterable[Record], search: Search) -> list[Record]:
    """The best few by the first objective; with several objectives, of those that no other record beats in all."""
    scored = [(objectives(record, search), record) for record in records]
    front = [
        (mine, record)
        for mine, record in scored
        if not any(all(o <= m for o, m in zip(other, mine, strict=True)) and other != mine for other, _ in scored)
    ]
    ranked = sorted(scored if len(search.objectives) == 1 else front, key=lambda pair: (pair[0], pair[1].run_id))
    return [record for _, record in ranked[: search.best]]


def _distribution(allowed: tuple[Any, ...]) -> BaseDistribution:
    whole = all(type(value) is int for value in allowed)  # and no truth value
    if whole and allowed == tuple(range(allowed[0], allowed[-1] + 1)):
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


def _set(base: RunConfig, chosen: Mapping[str, Any]) -> RunConfig:
    """`base` with the chosen values in their places, resolved."""
    changes: dict[str, Any] = {}
    for name, value in chosen.items():
        field, dot, key = name.partition(".")
        if dot:
            before = getattr(base, field)
            changes[field] = {**(before if isinstance(before, dict) else {}), **changes.get(field, {}), key: value}
        else:
            changes[field] = value
    return resolve(replace(base, **changes))

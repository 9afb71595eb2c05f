"""Studies: what is asked for, what is missing, and Optuna, here and nowhere else.

A study is a declaration of grids and searches. Records are the truth: what is missing is what is wanted less the records that are
ok, so that an interrupted study goes on where it stopped, and Optuna's storage can be rebuilt from them.
"""

import importlib
import pkgutil
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, fields, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ue_bench import record as records_room
from ue_bench.config import RunConfig
from ue_bench.errors import BenchError, BudgetError, unknown
from ue_bench.progress import progress
from ue_bench.record import Record
from ue_bench.workers import Job, Workers

if TYPE_CHECKING:
    import optuna

FRESH = 100  # the seeds that confirm a search start this far above its own
PROPOSALS = 20  # a sampler that proposes this many times the trials wanted, without finding new ones, has seen the space


@dataclass(frozen=True)
class Grid:
    """Every arm at every table size and seed. compressions: exact table's bytes over the budget; empty: the arms' own budgets."""

    arms: tuple[RunConfig, ...]
    compressions: tuple[int, ...] = ()
    seeds: int = 5


@dataclass(frozen=True)
class Search:
    """Optuna over `space` from `base`, on validation MSE; then the best few and the arms `against` them on fresh seeds.

    space: config field, or ``lookups.FEATURE``, to the values allowed. objectives: record keys to minimise, the first of them
    ``quality.val_mse``; with more than one the best few are taken from the Pareto front.
    """

    base: RunConfig
    space: Mapping[str, tuple[int, ...]]
    trials: int
    against: tuple[RunConfig, ...] = ()
    compression: int | None = None
    best: int = 3
    seeds: int = 5
    objectives: tuple[str, ...] = ("quality.val_mse",)


@dataclass(frozen=True)
class Study:
    """A question and the grids and searches that answer it. latency: measure each configuration in a quiet phase at the end."""

    question: str
    parts: tuple[Grid | Search, ...]
    latency: bool = True


@dataclass
class Progress:
    """What a study did: runs made now, runs found ready, failures, budgets that cannot work."""

    made: int = 0
    ready: int = 0
    failed: list[Record] = field(default_factory=list)
    infeasible: list[Record] = field(default_factory=list)  # the strategy cannot work with the budget: an answer


def names() -> list[str]:
    """Studies that exist, by the names of their files."""
    package = importlib.import_module("ue_bench.studies")
    return sorted(module.name for module in pkgutil.iter_modules(package.__path__))


def find(name: str) -> tuple[Study, str]:
    """A study and the text at the head of its file. Raises BenchError for an unknown name."""
    if name not in names():
        raise unknown("study", name, names())
    module = importlib.import_module(f"ue_bench.studies.{name}")
    return module.STUDY, module.__doc__ or ""


class Runner:
    """Runs one study into one results folder."""

    def __init__(
        self,
        name: str,
        results: Path,
        seed: int = 0,
        workers: int = 1,
        dataset: str | None = None,
        data_dir: Path | None = None,
    ) -> None:
        self.study, _ = find(name)
        self.name, self.results, self.seed, self.dataset, self.data_dir = name, results, seed, dataset, data_dir
        records_room.require_writable(results / name)
        self.done: dict[str, Record] = {}
        for found in records_room.load(results, name)[0]:
            if found.status == "ok" or _infeasible(found):
                self.done[found.run_id] = found
        self.report = Progress()
        self.wanted: dict[str, RunConfig] = {}
        self._workers_count = workers

    def run(self) -> list[Record]:
        """Run what is missing; return the records of all that was wanted, in order."""
        with Workers(self._workers_count) as workers:
            for part in self.study.parts:
                if isinstance(part, Grid):
                    self._run("grid", "grid", self._grid(part), workers)
                else:
                    self._search(part, workers)
        if self.study.latency:  # alone, when nothing else runs
            with Workers(1) as alone:
                self._run("latency", "latency", self._latency(), alone)
        return [self.done[run_id] for run_id in self.wanted if run_id in self.done]

    def _adapt(self, config: RunConfig, seed: int, compression: int | None = None, measure: str = "quality") -> RunConfig:
        from ue_bench.run import exact_table_bytes, resolve

        config = replace(config, dataset=self.dataset or config.dataset, measure=measure)
        if compression:
            config = replace(config, budget=exact_table_bytes(config, self.data_dir) // compression)
        return resolve(config.with_seed(seed))

    def _grid(self, grid: Grid) -> Iterator[RunConfig]:
        from ue_bench.run import has_budget

        for seed in range(self.seed, self.seed + grid.seeds):  # seed by seed: an interrupted study has something of every arm
            for arm in grid.arms:
                sized = grid.compressions if has_budget(arm) else ()
                for compression in sized or (None,):
                    yield self._adapt(arm, seed, compression)

    def _run(self, label: str, phase: str, configs: Iterable[RunConfig], workers: Workers) -> None:
        configs = list({config.run_id: config for config in configs}.values())
        self.wanted |= {config.run_id: config for config in configs}
        jobs = [self._job(config, phase) for config in configs if config.run_id not in self.done]
        self.report.ready += len(configs) - len(jobs)
        if not jobs:
            return
        with progress(f"{self.name}: {label}", len(jobs), "runs") as update:
            update(0, _title(jobs[0].config))
            for done, (job, record) in enumerate(workers.run_all(jobs), start=1):
                self._keep(record)
                update(done, _title(job.config))

    def _job(self, config: RunConfig, phase: str) -> Job:
        return Job(config, self.name, phase, self.results, self.data_dir)

    def _keep(self, record: Record) -> None:
        self.report.made += 1
        if record.status == "ok" or _infeasible(record):
            self.done[record.run_id] = record
        if record.status != "ok":
            (self.report.infeasible if _infeasible(record) else self.report.failed).append(record)

    def _latency(self) -> Iterator[RunConfig]:
        """Each configuration once: latency does not depend on training or seeds, and a search's trials are not quoted."""
        for run_id, config in list(self.wanted.items()):
            if run_id in self.done and self.done[run_id].phase != "search" and self.done[run_id].status == "ok":
                yield replace(config.with_seed(self.seed), measure="latency")

    def _search(self, search: Search, workers: Workers) -> None:
        base = self._adapt(search.base, self.seed, search.compression)
        known = {run_id: r for run_id, r in self.done.items() if _belongs(r, base, search.space)}
        if len(known) < search.trials:
            self._propose(search, base, known, workers)
        self.wanted |= {run_id: RunConfig.from_dict(r.config) for run_id, r in known.items()}
        best = [RunConfig.from_dict(record.config) for record in _best(list(known.values()), search)]
        against = [self._adapt(arm, self.seed, search.compression) for arm in search.against]
        fresh = range(self.seed + FRESH, self.seed + FRESH + search.seeds)
        self._run("confirm", "confirm", [config.with_seed(seed) for seed in fresh for config in (*best, *against)], workers)

    def _propose(self, search: Search, base: RunConfig, known: dict[str, Record], workers: Workers) -> None:
        """Ask, run, tell until `search.trials` different configurations have an ok record."""
        import optuna

        study, failures = self._storage(search, base, known), 0
        running: dict[str, optuna.Trial] = {}
        with progress(f"{self.name}: search", search.trials, "trials") as update:
            update(len(known), "")
            while len(known) < search.trials:
                while (
                    workers.free and len(known) + len(running) < search.trials and len(study.trials) < PROPOSALS * search.trials
                ):
                    trial = study.ask()
                    config = _set(base, {name: _suggest(trial, name, allowed) for name, allowed in search.space.items()})
                    if config.run_id in known:  # proposed again: the answer is known
                        study.tell(trial, _objectives(known[config.run_id], search))
                    elif config.run_id in running:
                        study.tell(trial, state=optuna.trial.TrialState.FAIL)
                    else:
                        running[config.run_id] = trial
                        workers.start(self._job(config, "search"))
                if not running:
                    break  # the space is smaller than the number of trials
                job, record = workers.next()
                trial = running.pop(job.config.run_id)
                self._keep(record)
                if record.status == "ok":
                    known[record.run_id] = record
                    study.tell(trial, _objectives(record, search))
                else:
                    failures += 1
                    study.tell(trial, state=optuna.trial.TrialState.FAIL)
                    if failures > search.trials:
                        raise BenchError(f"search of {self.name}: {failures} trials failed; the last one: {record.error}")
                update(len(known), _title(job.config))

    def _storage(self, search: Search, base: RunConfig, known: dict[str, Record]) -> "optuna.Study":
        """The Optuna study of this search in the results folder, told of every record that it does not have."""
        import optuna

        optuna.logging.set_verbosity(optuna.logging.WARNING)
        path = self.results / self.name / "optuna.sqlite3"
        label = f"{base.run_id} {','.join(search.objectives)} {','.join(sorted(search.space))}"
        study = optuna.create_study(
            storage=f"sqlite:///{path.resolve()}", study_name=label, load_if_exists=True,
            directions=["minimize"] * len(search.objectives),
        )  # fmt: skip
        for trial in study.get_trials(deepcopy=False, states=(optuna.trial.TrialState.RUNNING,)):
            study.tell(trial.number, state=optuna.trial.TrialState.FAIL)  # its process ended with an earlier command
        study.sampler = optuna.samplers.TPESampler(seed=self.seed + len(study.trials), multivariate=True, constant_liar=True)
        told = [trial.params for trial in study.trials if trial.state == optuna.trial.TrialState.COMPLETE]
        space = {name: _distribution(allowed) for name, allowed in search.space.items()}
        for record in known.values():
            params = {name: _get(RunConfig.from_dict(record.config), name) for name in search.space}
            if params not in told:
                values = _objectives(record, search)
                study.add_trial(optuna.trial.create_trial(params=params, distributions=space, values=values))
        return study


def _infeasible(record: Record) -> bool:
    return record.status == "failed" and (record.error or "").startswith(BudgetError.__name__)


def _title(config: RunConfig) -> str:
    return f"{config.strategy}, {config.features}, seed {config.init_seed}"


def _objectives(record: Record, search: Search) -> list[float]:
    found = []
    for key in search.objectives:
        room, name = key.split(".")
        found.append(float(getattr(record, room)[name]))
    return found


def _distribution(allowed: tuple[int, ...]) -> Any:
    from optuna.distributions import CategoricalDistribution, IntDistribution

    if _contiguous(allowed):
        return IntDistribution(allowed[0], allowed[-1])
    return CategoricalDistribution(allowed)


def _suggest(trial: Any, name: str, allowed: tuple[int, ...]) -> Any:
    if _contiguous(allowed):
        return trial.suggest_int(name, allowed[0], allowed[-1])
    return trial.suggest_categorical(name, allowed)


def _contiguous(allowed: tuple[int, ...]) -> bool:
    return allowed == tuple(range(allowed[0], allowed[-1] + 1))


def _get(config: RunConfig, name: str) -> Any:
    feature = name.removeprefix("lookups.")
    if feature == name:
        return getattr(config, name)
    return config.lookups.get(feature, 1) if isinstance(config.lookups, dict) else config.lookups


def _set(base: RunConfig, chosen: Mapping[str, Any]) -> RunConfig:
    from ue_bench.run import resolve

    lookups = {name.removeprefix("lookups."): value for name, value in chosen.items() if name.startswith("lookups.")}
    plain: dict[str, Any] = {name: value for name, value in chosen.items() if not name.startswith("lookups.")}
    return resolve(replace(base, **plain, lookups=lookups or base.lookups))


def _belongs(record: Record, base: RunConfig, space: Mapping[str, tuple[int, ...]]) -> bool:
    """Whether a record is a trial of the search from `base`: equal but for what the space varies."""
    varied = {name.split(".")[0] for name in space}
    config = RunConfig.from_dict(record.config)
    same = record.status == "ok" and all(
        getattr(config, f.name) == getattr(base, f.name) for f in fields(RunConfig) if f.name not in varied
    )
    return same and record.phase == "search" and all(_get(config, name) in allowed for name, allowed in space.items())


def _best(records: list[Record], search: Search) -> list[Record]:
    """The best few by the first objective; with several objectives, of those that no other record beats in all."""
    scored = [(_objectives(record, search), record) for record in records]
    front = [
        (mine, record)
        for mine, record in scored
        if not any(all(o <= m for o, m in zip(other, mine, strict=True)) and other != mine for other, _ in scored)
    ]
    ranked = sorted(scored if len(search.objectives) == 1 else front, key=lambda pair: (pair[0], pair[1].run_id))
    return [record for _, record in ranked[: search.best]]

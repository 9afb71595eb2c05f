"""The plan of a study: which configurations run, in which order and at which budgets.

A plan reads data sets and the records it is given. It starts no run and writes nothing.
"""

import json
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from fractions import Fraction
from pathlib import Path
from typing import Any, NamedTuple

from ue_bench.config import RunConfig
from ue_bench.config.first_seed import require_first_seed
from ue_bench.errors import BenchError, one_line
from ue_bench.features import canonical_feature
from ue_bench.record import QUICK, Record
from ue_bench.strategies import is_anchor
from ue_bench.study import Grid, Scenario, Search, Study
from ue_bench.study.parts_of import parts_of
from ue_bench.study.search_records import Answered, best_few, known_trials
from ue_bench.study.space import require_choices, with_options
from ue_bench.training.assembly import has_budget, without_ignored_budget
from ue_bench.training.resolve import resolve
from ue_bench.training.run_data import (
    Look,
    cardinalities,
    data_fault,
    exact_table_bytes,
    is_table,
    look,
)

# Above the study's own first seed. Results are quoted on the seeds below those of design: of grids
# from 0, of what confirms a search from 100.
CONFIRM_SEEDS_FROM = 100
ALONE = "one at a time"  # the part of the study that measures latency
DESIGN_SEEDS_FROM = 1_000  # of what chooses: the trials of searches
BOUNDS = ("negative_at_most", "positive_at_least")
# fields that name what a run reads of its data set
_OF_DATA = ("features", "multi_valued", "split", "task", *BOUNDS)
# fields on which the bytes of the exact table do not depend
_BESIDE_EXACT_TABLE = (
    "strategy",
    "code",
    "regions",
    "region_rule",
    "region_cap",
    "budget",
    "options",
    "hash_seeds",
    "split",
)


@dataclass(frozen=True)
class ListStage:
    """A list of configurations to run in order.

    where: the part of the study, in words. configs: by run id. setting: that of the grid.
    notes: one line for each split that is left out because the data set does not have it, and for
    each strategy that keeps no budget.
    """

    phase: str
    where: str
    configs: dict[str, RunConfig]
    notes: tuple[str, ...] = ()
    setting: str = ""

    @property
    def label(self) -> str:
        """The name of the stage, which is unique in the study."""
        return f"{self.phase}, {self.where}"


@dataclass(frozen=True)
class SearchStage:
    """The trials of a search from one base configuration.

    base: the first trial, at the first of the seeds of trials.
    known: the trials that all ended well, by the id of their first run; an executor adds new ones.
    next_number: the number of the next trial after all that have a record.
    notes: as those of a list.
    """

    search: Search
    base: RunConfig
    where: str
    known: dict[str, Answered]
    next_number: int = 0
    notes: tuple[str, ...] = ()

    @property
    def label(self) -> str:
        """The stage in words, for a line of progress."""
        return f"{self.base.strategy}, tpe search, {self.where}"

    @property
    def complete(self) -> bool:
        """Whether the search has the records of all its trials."""
        return len(self.known) >= self.search.trials

    @property
    def configs(self) -> dict[str, RunConfig]:
        """The runs of the known trials, by run id."""
        configs = {}
        for trial in self.known.values():
            for record in trial.records:
                configs[record.run_id] = record.config
        return configs


Part = Grid | Search
Stage = ListStage | SearchStage


class Plan:
    """What a study asks for on its own data sets, or on the data set that `dataset` describes.

    dataset: fields of `RunConfig` that replace those of every configuration. data_dir: the folder
    of the data set's files. quick: use the study's short form. only: the strategies whose runs are
    made; empty: all of the study. Raises BenchError for a strategy of `only` that does not exist or
    that the study has no run of. Raises BenchError where the study
    has no short form, or has known answers and is asked for on another data set, and where that
    data set lacks features or labels of the runs. Raises BenchError for a first seed with too few
    seeds above it.
    """

    def __init__(
        self,
        name: str,
        study: Study,
        *,
        seed: int = 0,
        dataset: Mapping[str, Any] | None = None,
        data_dir: Path | None = None,
        quick: bool = False,
        only: Collection[str] = (),
    ) -> None:
        require_first_seed(seed)
        self.name = name
        if quick:
            self.name += QUICK
        self.seed = seed
        self.dataset = dict(dataset or {})
        self.data_dir = data_dir
        if self.dataset and study.names_features:
            study = study.on(self._cardinalities("base"), self._cardinalities("wide"))
        self.study = study
        self.parts = study.asked(quick)
        if only:
            self.parts = parts_of(self.parts, only, name)
        for part in self.parts:
            require_first_seed(seed + (part.first if isinstance(part, Grid) else part.seed))
        if study.scenarios and self.dataset:
            raise BenchError(
                f"{name}: its answers are known on its own data sets alone; "
                f"leave --dataset {self.dataset['dataset']} out"
            )
        self.scenarios: list[Scenario] = []  # the claims that the parts can answer
        for scenario in study.scenarios:
            if all(grid in self.parts for grid in scenario.grids):
                self.scenarios.append(scenario)
        # The data are read once for each entry of these two caches.
        self._exact_bytes: dict[str, int] = {}
        self._looks: dict[tuple[str, str, str], Look] = {}
        self._left_out: set[str] = set()  # splits and anchors that a note has named
        self._without_budget: set[str] = set()  # strategies that a note has named
        self._require_data()

    def stages(self, answers: Mapping[str, Record], latency: bool = True) -> Iterator[Stage]:
        """Yield the stages of the study in order.

        answers: the records that are known, by run id. The caller adds the records of a stage to
        it, and to `known` of a search, before it asks for the next stage.
        latency: whether to end with the measurement of latency, if the study has one.
        """
        wanted: dict[str, RunConfig] = {}
        for _, stages in self.by_part(answers):
            for stage in stages:
                yield stage
                wanted |= stage.configs
        if latency and self.study.latency:
            yield self.latency_stage(wanted, answers)

    def by_part(self, answers: Mapping[str, Record]) -> Iterator[tuple[Part, Iterator[Stage]]]:
        """Yield each part of the study with its stages, which are those of `stages`."""
        for number, part in enumerate(self.parts, start=1):
            where = self.where(number)
            if isinstance(part, Grid):
                yield part, self._grid_stages(part, where)
            else:
                yield part, self._search_stages(part, where, answers)

    def where(self, number: int) -> str:
        """Return the part of a number, from 1, in words."""
        return f"part {number} of {len(self.parts)}"

    def latency_stage(
        self, wanted: Mapping[str, RunConfig], answers: Mapping[str, Record]
    ) -> ListStage:
        """Return the measurement of latency. wanted: the runs of all other stages, by run id."""
        return ListStage("latency", ALONE, _by_id(self._latency(wanted, answers)))

    @property
    def named_datasets(self) -> frozenset[str]:
        """The data sets that the study reads by name alone; no table."""
        names = set()
        for part in self.parts:
            arms = part.arms if isinstance(part, Grid) else (part.base, *part.against)
            for arm in arms:
                config = replace(arm, **self.dataset)
                if config.table is None:
                    names.add(config.dataset)
        return frozenset(names)

    def remarks(self) -> tuple[str, ...]:
        """Return one line for each thing to know of the tables that the study reads.

        These are which features are user and item, and warnings about columns.
        """
        lines: dict[str, None] = {}
        seen = set()
        for part in self.parts:
            arms = part.arms if isinstance(part, Grid) else [part.base]
            for arm in arms:
                config = self._on_data_set(arm)
                table = _table_of(config)
                if table in seen or not is_table(config):
                    continue
                seen.add(table)
                remarks = self._look(config).remarks
                lines |= dict.fromkeys(map(one_line, remarks))
        return tuple(lines)

    def adapt(
        self, config: RunConfig, seed: int, compression: int | Fraction | None = None
    ) -> RunConfig:
        """Return a configuration as it runs: on the plan's data set, resolved, without a clock.

        A strategy that keeps no budget has none.
        compression: the bytes of the exact table over the budget; None keeps the budget.
        """
        config = self._on_data_set(replace(config, measure="quality"))
        if compression:
            config = replace(config, budget=self._exact_table_bytes(config) // compression)
        return resolve(without_ignored_budget(config).with_seed(seed))

    def grid(self, grid: Grid) -> Iterator[RunConfig]:
        """Yield the runs of a grid.

        They come seed by seed, so that an interrupted study has something of every arm.
        """
        arms, _ = self._possible(grid.arms)
        first = self.seed + grid.first
        configs = []
        for arm in arms:
            for compression in _compressions(grid, arm):
                configs.append(self.adapt(arm, first, compression))
        for seeds in grid.seeds_of_runs(first):
            for config in configs:
                yield replace(config, **seeds)

    def _on_data_set(self, config: RunConfig) -> RunConfig:
        """Return a configuration on the plan's data set, with the labels of that."""
        changes = dict(self.dataset)
        if self._has_own_labels:
            changes |= {name: self.dataset.get(name) for name in BOUNDS}
        return replace(config, **changes)

    @property
    def _has_own_labels(self) -> bool:
        """Whether the bounds of the labels are those of the plan's data set, not the study's.

        The study's are for ratings in stars, and say nothing about the target of a table.
        """
        if not self.dataset:
            return False
        data_set = RunConfig(self.dataset["dataset"], table=self.dataset.get("table"))
        return is_table(data_set) or any(name in self.dataset for name in BOUNDS)

    def _require_data(self) -> None:
        """Raise BenchError where the plan's data set lacks features or labels of the runs."""
        if not self.dataset:
            return
        configs: dict[str, RunConfig] = {}
        for part in self.parts:
            arms = part.arms if isinstance(part, Grid) else (part.base, *part.against)
            for arm in arms:
                self._require_task(arm)
                config = self.adapt(arm, self.seed)
                key = repr([getattr(config, name) for name in _OF_DATA])
                configs.setdefault(key, config)
        fault = data_fault(configs.values(), self.data_dir)
        if fault is not None:
            raise BenchError(f"{self.name}: {fault}")

    def _require_task(self, arm: RunConfig) -> None:
        """Raise BenchError where an arm predicts labels, and the data set is asked for without."""
        task = self.dataset.get("task", arm.task)
        if arm.task == "binary" and task != "binary":
            raise BenchError(
                f"{self.name}: its runs predict labels, and task {task!r} was asked for; choose "
                "'binary', with --positive-at-least or --negative-at-most where the target is not "
                "0 and 1"
            )

    def _grid_stages(self, grid: Grid, where: str) -> Iterator[Stage]:
        _, left_out = self._possible(grid.arms)
        notes = left_out + self._budget_notes(grid.arms, bool(grid.compressions))
        yield ListStage("grid", where, _by_id(self.grid(grid)), notes, setting=grid.setting)

    def _search_stages(
        self, search: Search, where: str, answers: Mapping[str, Record]
    ) -> Iterator[Stage]:
        """Yield the search, and then the fresh seeds."""
        self._possible([search.base])
        self._require_budgets(search)
        against, left_out = self._runnable(search.against)
        notes = left_out + self._budget_notes([search.base], bool(search.compression))
        first = self.seed + DESIGN_SEEDS_FROM + search.seed
        base = with_options(self.adapt(search.base, first, search.compression), search)
        self._require_all_features(search, base)
        require_choices(search, base)
        trials, next_number = known_trials(answers, base, search)
        # A search with fewer trials than it had before is the beginning of what it was.
        known = {trial.run_id: trial for trial in trials[: search.trials]}
        yield SearchStage(search, base, where, known=known, next_number=next_number, notes=notes)
        winners = [trial.config for trial in best_few(known.values(), search)]
        confirmations = self._confirmations(search, base, [*(winners or [base]), *against])
        yield ListStage("confirm", where, _by_id(confirmations))

    def _confirmations(
        self, search: Search, base: RunConfig, configs: list[RunConfig]
    ) -> Iterator[RunConfig]:
        """Yield the winners of a search and their rivals, which are `configs`, on fresh seeds.

        Where they do not have a budget of their own, they have that of the search.
        """
        first = self.seed + CONFIRM_SEEDS_FROM
        for seed in range(first, first + search.seeds):
            for config in configs:
                config = replace(config, budget=config.budget or base.budget)
                config = self.adapt(config, seed)
                if not is_anchor(config.strategy):
                    config = with_options(config, search)
                yield config

    def _latency(
        self, wanted: Mapping[str, RunConfig], answers: Mapping[str, Record]
    ) -> Iterator[RunConfig]:
        """Yield each configuration that ran well, to be timed.

        Latency depends neither on training, but for that of a stream, nor on seeds, so that one
        seed is enough. The trials of a search are left out because the report does not quote them.
        """
        for run_id, config in wanted.items():
            record = answers.get(run_id)
            if record is None or record.phase == "search" or record.status != "ok":
                continue
            yield replace(config.with_seed(self.seed), measure="latency")

    def _possible(self, arms: Iterable[RunConfig]) -> tuple[list[RunConfig], tuple[str, ...]]:
        """Return what `_runnable` does. Raises BenchError where no arm is left."""
        arms = list(arms)
        possible, left_out = self._runnable(arms)
        if not possible:
            raise BenchError(f"{self.name}: {self._fault(arms[0])}")
        return possible, left_out

    def _runnable(self, arms: Iterable[RunConfig]) -> tuple[list[RunConfig], tuple[str, ...]]:
        """Return the arms that can run on the data set, and a line for each split or anchor met
        first here that it does not have."""
        possible = []
        left_out = []
        for arm in arms:
            fault = self._fault(arm)
            if fault is None:
                possible.append(arm)
            elif fault.what not in self._left_out:
                self._left_out.add(fault.what)
                left_out.append(one_line(f"{self.name}: left out, {fault.what}: {fault}"))
        return possible, tuple(left_out)

    def _fault(self, arm: RunConfig) -> "_Fault | None":
        """Return why an arm cannot run on the plan's data set, or None where it can."""
        if not self.dataset:
            return None
        look = self._look(self.adapt(arm, self.seed))
        if look.fault is not None:
            return _Fault(f"the {arm.split} split", look.fault)
        if is_anchor(arm.strategy) and look.without_anchors is not None:
            return _Fault(arm.strategy, look.without_anchors)
        return None

    def _look(self, config: RunConfig) -> Look:
        """Return what the data set of a configuration shows at its split, read once."""
        key = (*_table_of(config), config.split)
        if key not in self._looks:
            self._looks[key] = look(config, self.data_dir)
        return self._looks[key]

    def _budget_notes(self, arms: Iterable[RunConfig], sized: bool) -> tuple[str, ...]:
        """Return a line for each strategy met first here that keeps no budget and is given one.

        sized: whether the arms are given the budgets of a list of table sizes.
        """
        notes = []
        for arm in arms:
            given = sized or arm.budget is not None
            if given and not has_budget(arm) and arm.strategy not in self._without_budget:
                self._without_budget.add(arm.strategy)
                notes.append(
                    one_line(
                        f"{self.name}: {arm.strategy} keeps no budget; it runs without one, at its "
                        "own size"
                    )
                )
        return tuple(notes)

    def _require_all_features(self, search: Search, base: RunConfig) -> None:
        """Raise BenchError where some features would lose the lookups that the base gives all."""
        if not search.features or isinstance(base.lookups, dict) or base.lookups == 1:
            return
        searched = {canonical_feature(name) for name in search.features}
        others = cardinalities(base, self.data_dir).keys() - searched
        if others:
            raise BenchError(
                f"{self.name}: a search starts from {base.lookups} lookups of every feature, and "
                f"its space leaves out those of {', '.join(sorted(others))}; name all features, or "
                "none"
            )

    def _require_budgets(self, search: Search) -> None:
        """Raise BenchError where the budget is searched for a strategy that keeps none."""
        if "budget" not in search.space:
            return
        for strategy in search.strategies:
            if not has_budget(replace(search.base, strategy=strategy)):
                raise BenchError(
                    f"{self.name}: a search varies the budget of {strategy}, which keeps none; "
                    "take the budget out of its space"
                )

    def _cardinalities(self, features: str) -> dict[str, int]:
        """Return the number of distinct values of each feature in a named set of the data set."""
        config = replace(RunConfig(**self.dataset), features=features)
        return cardinalities(resolve(config), self.data_dir)

    def _exact_table_bytes(self, config: RunConfig) -> int:
        """Return the bytes of the exact table of the configuration's features."""
        default = RunConfig()
        unused: dict[str, Any] = {name: getattr(default, name) for name in _BESIDE_EXACT_TABLE}
        key = replace(config, **unused).with_seed(0).run_id
        if key not in self._exact_bytes:
            self._exact_bytes[key] = exact_table_bytes(config, self.data_dir)
        return self._exact_bytes[key]


class _Fault(NamedTuple):
    """What of an arm a data set does not have, and why."""

    what: str
    why: str

    def __str__(self) -> str:
        return self.why


def _table_of(config: RunConfig) -> tuple[str, str]:
    """Return what tells the data sets of configurations apart: the name and the definition."""
    return config.dataset, json.dumps(config.table, sort_keys=True)


def title(config: RunConfig) -> str:
    """Return a run in a few words, for a line of progress."""
    return f"{config.strategy}, {config.features}, seed {config.init_seed}"


def _compressions(grid: Grid, arm: RunConfig) -> tuple[int | Fraction | None, ...]:
    """Return the sizes at which an arm runs; None stands for the arm's own budget, if any."""
    if grid.compressions and has_budget(arm):
        return grid.compressions
    return (None,)


def _by_id(configs: Iterable[RunConfig]) -> dict[str, RunConfig]:
    """Return the configurations by run id; one that occurs twice keeps its first place."""
    return {config.run_id: config for config in configs}

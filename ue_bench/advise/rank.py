"""Where a new strategy ranks among the published ones: its runs here, theirs from the records.

The strategy has the searches of the study `methods`, form by form and size by size; in several
worlds it has the grids of the study `worlds` (see `rank_worlds`). With less time it has fewer
trials, seeds or sizes; its runs are then the first ones of the whole, so that a later command goes
on from there.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from statistics import fmean
from typing import Any, NamedTuple

from ue_bench.advise.over_worlds import over_worlds
from ue_bench.errors import BenchError, one_line
from ue_bench.record import Record, load_runs
from ue_bench.report.evidence.evidence import Evidence
from ue_bench.report.evidence.place import places
from ue_bench.report.json_values import json_values
from ue_bench.strategies import STRATEGIES
from ue_bench.strategies.budget import counted
from ue_bench.study import Grid, Search, Study, find
from ue_bench.study.local_executor import LocalExecutor
from ue_bench.study.parts_of import Part, parts_of
from ue_bench.study.plan import Plan

STUDY = "methods"
PUBLISHED = Path(__file__).resolve().parents[1] / "published"
OVERHEAD = 0.5  # seconds of a run beside its training
USUAL = 3.0  # seconds of training, where no published record says it


class Level(NamedTuple):
    """How much is searched. None: as much as the published strategies had."""

    sizes: int | None = None
    trials: int | None = None
    seeds: int | None = None


# From the most to the least.
LEVELS = (Level(), Level(None, 12, 5), Level(None, 6, 3), Level(1, 4, 3))
QUICK = LEVELS[-1]


@dataclass(frozen=True)
class Ranking:
    """What a ranking takes, before any of it is run.

    names: the strategies. parts: their runs in the study `study`. whole: whether these are all that
    the published strategies had. published: the records of these. worlds: the data sets that were
    asked for; empty: those of `STUDY`.
    """

    names: tuple[str, ...]
    parts: tuple[Part, ...]
    whole: bool
    published: tuple[Record, ...]
    study: str = STUDY
    worlds: tuple[str, ...] = ()

    @property
    def runs(self) -> int:
        """The runs that the parts take at the most."""
        return sum(map(_runs_of, self.parts))

    def minutes(self, workers: int) -> float:
        """Return what the runs take, judged by the training of the published ones of their data."""
        runs: dict[str, int] = {}
        for part in self.parts:
            world = dataset_of(part)
            runs[world] = runs.get(world, 0) + _runs_of(part)
        minutes = 0.0
        for world, count in runs.items():
            alike = [record for record in self.published if record.config.dataset == world]
            minutes += expected_minutes(count, alike, workers)
        return minutes

    def on(self, world: str) -> "Ranking":
        """Return the ranking on one of its data sets."""
        parts = tuple(part for part in self.parts if dataset_of(part) == world)
        return replace(self, parts=parts)

    def cost_lines(self, workers: int) -> list[str]:
        """Return what it takes at the most: a line for all of it, then one for each world."""
        strategies = ", ".join(self.names)
        lines = [f"rank: {strategies}: {self._cost_text(workers)} ({self.effort_text})"]
        for world in self.worlds:
            lines.append(f"rank: {world}: {self.on(world)._cost_text(workers)}")
        return [one_line(line) for line in lines]

    def _cost_text(self, workers: int) -> str:
        return f"at most {self.runs:,} runs, {self.minutes(workers):.1f} minutes"

    @property
    def effort_text(self) -> str:
        """The effort in words, beside that of the published strategies."""
        first = self.parts[0]
        if isinstance(first, Search):
            searched = [part for part in self.parts if isinstance(part, Search)]
            n_sizes = len({search.compression for search in searched})
            given = f"{first.trials} trials a search, {first.seeds} fresh seeds"
        else:
            n_sizes = len(first.compressions)
            given = f"no search, {first.seeds} seeds"
        given += f", {counted(n_sizes, 'size')}"
        return given if self.whole else f"{given}: less effort than the others had"


def dataset_of(part: Part) -> str:
    """Return the data set of the runs of a part, which has one."""
    return part.base.dataset if isinstance(part, Search) else part.arms[0].dataset


def _runs_of(part: Part) -> int:
    if isinstance(part, Search):
        return part.trials * part.trial_seeds + part.best * part.seeds
    return len(part.arms) * max(1, len(part.compressions)) * part.seeds


def expected_minutes(runs: int, published: Sequence[Record], workers: int) -> float:
    """Return how long so many runs take at the most, if each trains as long as published ones."""
    seconds = []
    for record in published:
        if record.phase != "search" and "train_seconds" in record.cost:
            seconds.append(record.cost["train_seconds"])
    return runs * (fmean(seconds or [USUAL]) + OVERHEAD) / workers / 60


def prepare(
    names: Sequence[str], published: Path = PUBLISHED, data_dir: Path | None = None
) -> Ranking:
    """Return what has to be run to rank strategies that are loaded, with all the effort.

    published: a results folder with the study `methods`, or with some of its sizes: the strategies
    are searched at these alone.
    Raises BenchError for a folder without records of the study at its sizes, for a strategy that
    the study has no search of, and where the data, whose size says what a budget is, cannot be had.
    """
    records = published_records(published)
    require_new(names, records, STUDY)
    searches = _searches_of(names, records, data_dir)
    if not searches:
        raise BenchError(
            f"{published} has no runs at a size of study {STUDY}; give --against a results folder "
            "that has"
        )
    return Ranking(tuple(names), tuple(searches), True, tuple(records))


def _searches_of(
    names: Sequence[str], published: Sequence[Record], data_dir: Path | None
) -> list[Search]:
    """Return the searches of strategies in `STUDY` at the sizes of published runs."""
    budgets = {record.config.budget for record in published if is_quoted(record)}
    parts = parts_of(find(STUDY).parts, names, STUDY)
    plan = Plan(STUDY, Study("?", parts, latency=False), data_dir=data_dir)
    found = []
    for part in parts:
        if isinstance(part, Search):
            budget = plan.adapt(part.base, 0, part.compression).budget
            if budget in budgets:
                found.append(part)
    return found


def require_new(names: Sequence[str], published: Sequence[Record], study: str) -> None:
    """Raise BenchError where a published strategy has one of these names."""
    taken = {record.config.strategy for record in published}
    for name in names:
        if name in taken:
            raise BenchError(
                f"{name}: a published strategy has this name; give the new one another, or read "
                f"its rank in docs/{study}.md"
            )


def affordable(most: Ranking, quick: bool, minutes: float | None, workers: int) -> Ranking:
    """Return a ranking with the most effort that is expected to take no longer than the minutes.

    most: with all of it. quick: the least effort. minutes: None for all of it.
    """
    for level in (QUICK,) if quick else LEVELS:
        parts = _at_level(most.parts, level)
        ranking = replace(most, parts=parts, whole=level == Level())
        if minutes is None or ranking.minutes(workers) <= minutes:
            break
    return ranking


def published_records(published: Path, study: str = STUDY) -> list[Record]:
    """Return the runs of the study in a folder. Raises BenchError where it has none."""
    records: list[Record] = []
    if published.is_dir():
        records, _ = load_runs(published, study)
    if not any(is_quoted(record) for record in records):
        raise BenchError(
            f"{published} has no records of study {study}; give --against a results folder that has"
        )
    return records


def is_quoted(record: Record) -> bool:
    """Return whether a record has scores that are quoted: it is no trial, and ended well."""
    return record.phase != "search" and bool(record.quality)


def make_runs(
    ranking: Ranking,
    results: Path,
    *,
    workers: int = 1,
    plugins: Sequence[Path] = (),
    data_dir: Path | None = None,
) -> list[Record]:
    """Make the runs of a ranking that are missing, and return all of them.

    The records are in `results`, in the folder of the study. Raises BenchError as `ue-bench study`
    does, and where not one run of a strategy ended well.
    """
    plan = Plan(ranking.study, Study("?", ranking.parts, latency=False), data_dir=data_dir)
    executor = LocalExecutor(plan, results, workers=workers, plugins=plugins)
    executor.run()
    own = list(executor.whole_records())
    for name in ranking.names:
        runs = _runs_with(own, name)
        if not any(is_quoted(record) for record in runs):
            errors = [record.error for record in (*runs, *executor.ledger.failed) if record.error]
            reason = errors[-1] if errors else "no run was made"
            raise BenchError(f"{name}: not one of its runs on fresh seeds ended well; {reason}")
    return own


def comparable(ranking: Ranking, own: Sequence[Record]) -> list[Record]:
    """Return the published records of a ranking, and what is held against them.

    Trials say how lucky a search was. A search with fewer of them is not like the others.
    """
    if not ranking.whole:
        own = [record for record in own if record.phase != "search"]
    return [*ranking.published, *own]


def standings(ranking: Ranking, own: Sequence[Record]) -> dict[str, Any]:
    """Return the places of each strategy of a ranking, by name, as JSON can hold them.

    own: its runs.
    """
    found: dict[str, Any] = {}
    for name in ranking.names:
        evidence = Evidence(comparable(ranking, _runs_with(own, name)))
        standing = json_values(places(evidence.summary, evidence.arms.kept, name))
        found[name] = {
            "summary": STRATEGIES[name].summary,
            "effort": ranking.effort_text,
            "whole": ranking.whole,
            "left_out": evidence.arms.refused_of(name),
            "places": standing,
            "over_worlds": over_worlds(standing) if ranking.worlds else None,
        }
    return found


def _runs_with(own: Sequence[Record], name: str) -> list[Record]:
    return [record for record in own if record.config.strategy == name]


def _at_level(parts: Sequence[Part], level: Level) -> tuple[Part, ...]:
    """Return the runs of the first sizes, with so many trials and seeds."""
    searched = [part.compression for part in parts if isinstance(part, Search)]
    sizes = _first(list(dict.fromkeys(searched)), level.sizes)
    kept: list[Part] = []
    for part in parts:
        seeds = min(part.seeds, level.seeds or part.seeds)
        if isinstance(part, Grid):
            compressions = tuple(_first(list(part.compressions), level.sizes))
            kept.append(replace(part, compressions=compressions, seeds=seeds))
        elif part.compression in sizes:
            trials = min(part.trials, level.trials or part.trials)
            kept.append(replace(part, trials=trials, seeds=seeds))
    return tuple(kept)


def _first(sizes: list[Any], count: int | None) -> list[Any]:
    """Return so many sizes, the middle one of those that a study has first; None: all of them."""
    if count is None:
        return sizes
    return sizes[1 : 1 + count] or sizes[:count]

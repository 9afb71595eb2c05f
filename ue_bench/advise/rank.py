"""Where a new strategy ranks among the published ones: its runs here, theirs from the records.

The strategy has the searches of the study `methods`, form by form and size by size. With less time
it has fewer trials, seeds or sizes; its runs are then the first ones of the whole, so that a later
command goes on from there.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from statistics import fmean
from typing import Any, NamedTuple

from ue_bench.errors import BenchError
from ue_bench.record import Record, load_runs
from ue_bench.report.evidence.evidence import Evidence
from ue_bench.report.evidence.place import places
from ue_bench.report.json_values import json_values
from ue_bench.strategies import STRATEGIES
from ue_bench.strategies.budget import counted
from ue_bench.study import Search, Study, find
from ue_bench.study.local_executor import LocalExecutor
from ue_bench.study.parts_of import parts_of
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
    """What a command will do, and then does.

    names: the strategies. parts: their searches. whole: whether these are all that the published
    strategies had. published: the records of these. runs: at the most.
    """

    names: tuple[str, ...]
    parts: tuple[Search, ...]
    whole: bool
    published: tuple[Record, ...]

    @property
    def runs(self) -> int:
        """The runs that the searches take at the most."""
        return sum(part.trials * part.trial_seeds + part.best * part.seeds for part in self.parts)

    def minutes(self, workers: int) -> float:
        """Return what the runs take, judged by the training of the published ones."""
        return expected_minutes(self.runs, self.published, workers)

    @property
    def effort_text(self) -> str:
        """The effort in words, beside that of the published strategies."""
        first = self.parts[0]
        sizes = counted(len({part.compression for part in self.parts}), "size")
        given = f"{first.trials} trials a search, {first.seeds} fresh seeds, {sizes}"
        return given if self.whole else f"{given}: less effort than the others had"


def expected_minutes(runs: int, published: Sequence[Record], workers: int) -> float:
    """Return how long so many runs take at the most, if each trains as long as published ones."""
    seconds = []
    for record in published:
        if record.phase == "confirm" and "train_seconds" in record.cost:
            seconds.append(record.cost["train_seconds"])
    return runs * (fmean(seconds or [USUAL]) + OVERHEAD) / workers / 60


def prepare(
    names: Sequence[str],
    published: Path = PUBLISHED,
    *,
    quick: bool = False,
    minutes: float | None = None,
    workers: int = 1,
) -> Ranking:
    """Return what has to be run to rank strategies that are loaded.

    published: a results folder with the study `methods`. quick: the least effort. minutes: the most
    effort that is expected to take no longer; None: all of it.
    Raises BenchError for a folder without records of the study, and for a strategy that the study
    has no search of.
    """
    records = published_records(published)
    taken = {record.config.strategy for record in records}
    for name in names:
        if name in taken:
            raise BenchError(
                f"{name}: a published strategy has this name; give the new one another, or read "
                f"its rank in docs/{STUDY}.md"
            )
    searches = []
    for part in parts_of(find(STUDY).parts, names, STUDY):
        if isinstance(part, Search):
            searches.append(part)
    ranking = None
    for level in (QUICK,) if quick else LEVELS:
        parts = _at_level(searches, level)
        ranking = Ranking(tuple(names), parts, level == Level(), tuple(records))
        if minutes is None or ranking.minutes(workers) <= minutes:
            break
    if ranking is None:
        raise BenchError("no effort is declared")
    return ranking


def published_records(published: Path) -> list[Record]:
    """Return the runs of the study in a folder. Raises BenchError where it has none."""
    records: list[Record] = []
    if published.is_dir():
        records, _ = load_runs(published, STUDY)
    if not any(record.phase == "confirm" and record.quality for record in records):
        raise BenchError(
            f"{published} has no records of study {STUDY}; give --against a results folder that has"
        )
    return records


def rank(
    ranking: Ranking,
    results: Path,
    *,
    workers: int = 1,
    plugins: Sequence[Path] = (),
    data_dir: Path | None = None,
) -> dict[str, Any]:
    """Make the runs that are missing, and return the places of each strategy, by name.

    The records are in `results`, in the folder of the study. The answer is what JSON can hold.
    Raises BenchError as `ue-bench study` does, and where not one run of a strategy ended well.
    """
    plan = Plan(STUDY, Study("?", ranking.parts, latency=False), data_dir=data_dir)
    executor = LocalExecutor(plan, results, workers=workers, plugins=plugins)
    own = executor.run()
    found: dict[str, Any] = {}
    for name in ranking.names:
        runs = [record for record in own if record.config.strategy == name]
        if not any(record.phase == "confirm" and record.status == "ok" for record in runs):
            errors = [record.error for record in (*runs, *executor.ledger.failed) if record.error]
            reason = errors[-1] if errors else "no run was made"
            raise BenchError(f"{name}: not one of its runs on fresh seeds ended well; {reason}")
        # Trials say how lucky a search was. A search with fewer of them is not like the others.
        if not ranking.whole:
            runs = [record for record in runs if record.phase != "search"]
        evidence = Evidence([*ranking.published, *runs])
        found[name] = {
            "summary": STRATEGIES[name].summary,
            "effort": ranking.effort_text,
            "whole": ranking.whole,
            "left_out": [line for line in evidence.arms.refused if name in line],
            "places": json_values(places(evidence.summary, evidence.arms.kept, name)),
        }
    return found


def _at_level(searches: Sequence[Search], level: Level) -> tuple[Search, ...]:
    """Return the searches of the first sizes, with so many trials and seeds."""
    sizes = list(dict.fromkeys(search.compression for search in searches))
    if level.sizes is not None:  # the middle one of those that the study has first
        sizes = sizes[1 : 1 + level.sizes] or sizes[: level.sizes]
    kept = []
    for search in searches:
        if search.compression in sizes:
            trials = min(search.trials, level.trials or search.trials)
            seeds = min(search.seeds, level.seeds or search.seeds)
            kept.append(replace(search, trials=trials, seeds=seeds))
    return tuple(kept)

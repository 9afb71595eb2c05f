"""Which published world is most like the data of a question, and what led there on validation.

A world is a data set of the study `worlds` with its features. It is described by facts that its
records have, and is as far from other data as these facts are, in standard deviations over the
worlds. No test score is read.
"""

import math
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from statistics import fmean, stdev
from typing import Any, NamedTuple

from ue_bench.config import RunConfig
from ue_bench.record import load_runs
from ue_bench.record.world_facts import facts_of
from ue_bench.report.evidence.arms import Arm, collect
from ue_bench.report.evidence.comparison import Comparison
from ue_bench.report.evidence.run_scores import scores_of
from ue_bench.strategies import STRATEGIES, numbers_of

STUDY = "worlds"
FACTS = ("rows_a_value", "values", "unseen", "rare")
COUNTS = ("rows_a_value", "values")  # compared by their logarithms
FEWEST = 2  # worlds, of which one can be nearer than another

Facts = Mapping[str, float]


class Kind(NamedTuple):
    """What two configurations have in common that differ in lookups, dim and size alone."""

    method: str
    regions: str | None
    rule: str | None
    bits: str


class Nearest(NamedTuple):
    """The nearest world, and what led in it.

    world: its features, data set and split. distance: in standard deviations. runner_up,
    runner_up_distance: the next one. own, facts: `FACTS` of the data of the question, and of the
    world. size: that of the tables, as a part of the exact one. ranks: from 1, of the mean
    validation MSE of each kind at that size, among all that were run there.
    """

    world: str
    distance: float
    runner_up: str
    runner_up_distance: float
    own: dict[str, float]
    facts: dict[str, float]
    size: int
    ranks: dict[Kind, int]

    def as_json(self) -> dict[str, Any]:
        """Return what an answer says of it."""
        told = self._asdict()
        del told["ranks"]
        return told


def kind_of(config: RunConfig) -> Kind:
    """Return the kind of a configuration whose strategy is known here."""
    entry = STRATEGIES[config.strategy]
    return Kind(
        method=f"{entry.module}:{entry.class_name}",
        regions=config.regions,
        rule=config.region_rule,
        bits=numbers_of(config.strategy, config.by_name())["bits"],
    )


def nearest_world(own: Facts, part: float, published: Path) -> Nearest | None:
    """Return the world that is most like some data; None where the records do not tell.

    own: facts of the data, as `world_facts` returns them. part: the memory, as a part of the exact
    table of 16 numbers a value. published: a results folder; the records of `STUDY` may be absent,
    or of a version that has no facts, or of one world.
    """
    if not published.is_dir():
        return None
    by_world: dict[Comparison, list[Arm]] = {}
    for arm in collect(load_runs(published, STUDY)[0]).kept:
        if not arm.is_anchor and arm.runs and arm.config["strategy"] in STRATEGIES:
            by_world.setdefault(arm.comparison, []).append(arm)
    facts = {world: facts_of(arms[0].sample) for world, arms in by_world.items()}
    distances = distances_from(own, list(facts.values()))
    if not distances:
        return None
    ordered = sorted(zip(distances, facts, strict=True))
    (distance, world), (next_distance, next_world) = ordered[:FEWEST]
    at_size = ranks_at(by_world[world], part)
    if at_size is None:
        return None
    size, ranks = at_size
    return Nearest(
        world=world.title,
        distance=distance,
        runner_up=next_world.title,
        runner_up_distance=next_distance,
        own=_told(own),
        facts=_told(facts[world]),
        size=size,
        ranks=ranks,
    )


def _told(facts: Facts) -> dict[str, float]:
    return {name: facts[name] for name in FACTS if math.isfinite(facts[name])}


def distances_from(own: Facts, worlds: Sequence[Facts]) -> list[float]:
    """Return the distance of each world; none where nothing tells the worlds apart.

    It is Euclid's, over the facts that are known of all and differ between worlds, each divided by
    its standard deviation over the worlds.
    """
    if len(worlds) < FEWEST:
        return []
    squares = [0.0] * len(worlds)
    told = False
    for name in FACTS:
        values = [_coordinate(name, facts) for facts in worlds]
        middle = _coordinate(name, own)
        if not all(map(math.isfinite, (middle, *values))):
            continue
        spread = stdev(values)
        if not spread:
            continue
        told = True
        for place, value in enumerate(values):
            squares[place] += ((value - middle) / spread) ** 2
    return [math.sqrt(square) for square in squares] if told else []


def _coordinate(name: str, facts: Facts) -> float:
    value = facts[name]
    if name not in COUNTS:
        return value
    return math.log10(value) if value > 0 else math.nan


def ranks_at(arms: Iterable[Arm], part: float) -> tuple[int, dict[Kind, int]] | None:
    """Return the size that is nearest to a part of the exact table, and the ranks there.

    Arms without a size are ranked beside those of each size. None where no arm has a size, or the
    arms have no seed in common.
    """
    by_size: dict[int | None, list[Arm]] = {}
    for arm in arms:
        by_size.setdefault(_size_of(arm), []).append(arm)
    sizes = sorted(size for size in by_size if size is not None)
    if not sizes:
        return None
    size = min(sizes, key=lambda size: abs(math.log(size * part)))
    ranked = [*by_size[size], *by_size.get(None, ())]
    scores = [scores_of(arm.runs, "val") for arm in ranked]
    common = set.intersection(*(set(of_arm) for of_arm in scores))
    if not common:
        return None
    means = [fmean(of_arm.of(common)) for of_arm in scores]
    ranks: dict[Kind, int] = {}
    for rank, place in enumerate(sorted(range(len(ranked)), key=means.__getitem__), start=1):
        ranks.setdefault(kind_of(ranked[place].sample.config), rank)
    return size, ranks


def _size_of(arm: Arm) -> int | None:
    """Return how many times smaller than the exact table the budget of an arm is."""
    budget = arm.config["budget"]
    if not budget:
        return None
    return round(arm.sample.found["exact_table_bytes"] / budget)


def order(configs: Sequence[RunConfig], ranks: Mapping[Kind, int]) -> list[int]:
    """Return the places of configurations in the order in which they are tried.

    The first one of each kind that has a rank comes first, by rank; so one of each kind is tried
    before other shapes of it. The others follow as they stand.
    """
    with_rank: dict[Kind, int] = {}
    for place, config in enumerate(configs):
        kind = kind_of(config)
        if kind in ranks:
            with_rank.setdefault(kind, place)
    first = [with_rank[kind] for kind in sorted(with_rank, key=ranks.__getitem__)]
    others = [place for place in range(len(configs)) if place not in first]
    return [*first, *others]

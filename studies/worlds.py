"""On which data does one shared table win, do few bits win, and is an embedding worth anything?

Command: ue-bench study worlds --workers 2
Cost: 2,320 runs; with --quick 12.
Expect: the same order of the methods at equal compression wherever rows a value are alike.
Multiplexing helps on MovieLens, whose features differ most in their cardinalities, and less where
one feature has nearly all the values. Few bits help everywhere at 1/16 and below.

Four worlds, each with its base features: ratings of films, seasons of players, delays of flights
and a planted log of clicks. At each size the same arms, all with 16 numbers a feature: the two
forms of the plain table and of hashed numbers, floats and two bits; the methods with exact rows;
the exact table; the anchors. A strategy of a plug-in runs in each of its forms, in floats and,
where it has the choice, in two bits (`ue-bench rank FILE.py --on WORLDS`).
"""

from dataclasses import replace
from typing import Any

from ue_bench.config import RunConfig
from ue_bench.strategies import STRATEGIES
from ue_bench.strategies.registry import added_static_strategies
from ue_bench.study import Grid, Study, anchor_arms
from ue_bench.study.fair_searches import formats, forms_of

LATE = 15.0  # minutes, from which on a flight is late
SIZES = (64, 16, 4)
SHARED: dict[str, Any] = {"strategy": "unified", "lookups": 2, "dim": 8}
WORLDS = (
    RunConfig(dataset="ml-100k", **SHARED),
    RunConfig(dataset="baseball", **SHARED),
    RunConfig(dataset="flights", task="binary", positive_at_least=LATE, **SHARED),
    RunConfig(dataset="click-world-small", task="binary", **SHARED),
)
RULES = ("proportional", "sqrt", "equal")
TWO_BITS = "int2"


def sized(base: RunConfig) -> tuple[RunConfig, ...]:
    """The arms that have a size, in one world."""
    arms = []
    for bits in ("float32", TWO_BITS):
        in_bits = replace(base, bits=bits)
        arms.append(in_bits)
        for rule in RULES:
            arms.append(replace(in_bits, strategy="per_feature", region_rule=rule))
        for name in ("hashed_net", "robe"):
            arms.append(replace(in_bits, strategy=name, regions="multiplexed"))
    separate = replace(base, strategy="hashed_net", regions="separate", bits=TWO_BITS)
    arms.append(replace(separate, region_rule="proportional"))
    for name in ("low_dim_exact", "product_quantization"):
        arms.append(replace(base, strategy=name, regions="multiplexed", lookups=1, dim=16))
    for name in ("cafe", "frequency_threshold"):
        arms.append(replace(base, strategy=name, regions="multiplexed", bits=TWO_BITS))
    return tuple(arms)


def whole(base: RunConfig) -> tuple[RunConfig, ...]:
    """The arms that have no size, in one world."""
    exact = replace(base, strategy="collisionless", lookups=1, dim=16)
    return (*anchor_arms(base), exact, replace(exact, bits=TWO_BITS))


def added(base: RunConfig, has_budget: bool) -> tuple[RunConfig, ...]:
    """The arms of plug-ins that have a size, or none, in one world."""
    arms = []
    for form in forms_of(base, added_static_strategies(), RULES):
        if STRATEGIES[form.strategy].has_budget == has_budget:
            arms.append(form)
            if formats(form, (TWO_BITS,)):
                arms.append(replace(form, bits=TWO_BITS))
    return tuple(arms)


def parts() -> tuple[Grid, ...]:
    """Two grids a world."""
    grids = []
    for base in WORLDS:
        grids.append(Grid((*sized(base), *added(base, True)), SIZES))
        grids.append(Grid((*whole(base), *added(base, False))))
    return tuple(grids)


def quick_parts() -> tuple[Grid, ...]:
    """Three arms at one size, the fewest that have a ranking, in two worlds, for a few epochs."""
    grids = []
    for world in WORLDS[:2]:
        base = replace(world, epochs=3)
        separate = replace(base, strategy="per_feature", region_rule=RULES[0])
        hashed = replace(base, strategy="hashed_net", regions="multiplexed")
        grids.append(Grid((base, separate, hashed), SIZES[1:2], seeds=2))
    return tuple(grids)


STUDY = Study(
    question="on which data does one shared table win, and is an embedding worth anything there?",
    parts=parts(),
    quick=quick_parts(),
    latency=False,
)

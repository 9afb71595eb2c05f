"""What do few bits do to each method at equal bytes, and does multiplexing still help in them?

Command: ue-bench study bits --workers 2
Cost: 10,900 runs; with --quick 32.
Expect: at small budgets every hashed method is better the fewer its bits, down to 2; at large ones
bits matter little. Multiplexing helps less in few bits, because collisions are fewer. Predicted
before the run: numbers of 8 bits at some bytes are within 0.003 of floats at four times these.

A factorial of methods, forms, bits and budgets. Each form has lookups and numbers in two shapes,
of which validation names one at each budget and bits; of seven shapes these were the best on design
seeds, one in many bits and one in few. Exact tables keep no budget, and have a size for each bits
and width.
"""

from dataclasses import replace
from typing import Any

from ue_bench.config import RunConfig
from ue_bench.study import Grid, Study, anchor_arms

BASE = RunConfig(features="base", strategy="unified", lookups=2, dim=8)
BITS = ("float32", "int8", "int4", "int2")
SIZES = (128, 64, 32, 16, 8, 4)
SHAPES = ((2, 8), (4, 8))
Fields = dict[str, Any]

SEPARATE: Fields = {"regions": "separate", "region_rule": "proportional"}
FORMS: tuple[Fields, ...] = (
    {"strategy": "unified"},
    {"strategy": "per_feature", "region_rule": "proportional"},
    {"strategy": "hashed_net", "regions": "multiplexed"},
    {"strategy": "hashed_net", **SEPARATE},
    {"strategy": "robe", "regions": "multiplexed"},
    {"strategy": "robe", **SEPARATE},
    {"strategy": "compositional", "regions": "multiplexed"},
    {"strategy": "compositional", **SEPARATE},
    {"strategy": "multi_hash_sum", "regions": "multiplexed"},
    {"strategy": "multi_hash_sum", **SEPARATE},
)
EXACT: tuple[Fields, ...] = (
    {"strategy": "low_dim_exact", "regions": "multiplexed", "lookups": 1, "dim": 16},
    {"strategy": "low_dim_exact", **SEPARATE, "lookups": 1, "dim": 16},
)


def arms(base: RunConfig) -> tuple[RunConfig, ...]:
    """Every form with every bits and shape, and the anchors."""
    configs = list(anchor_arms(base))
    for bits in BITS:
        in_bits = replace(base, bits=bits)
        for form in FORMS:
            for lookups, dim in SHAPES:
                configs.append(replace(in_bits, **form, lookups=lookups, dim=dim))
        configs += [replace(in_bits, **form) for form in EXACT]
    return tuple(configs)


def exact_arms(base: RunConfig) -> tuple[RunConfig, ...]:
    """The exact table in every bits, of rows of 4 to 16 numbers."""
    configs = []
    for bits in BITS:
        for dim in (4, 8, 16):
            configs.append(replace(base, strategy="collisionless", bits=bits, lookups=1, dim=dim))
    return tuple(configs)


QUICK = replace(BASE, epochs=8)

STUDY = Study(
    question="what do few bits do to each method, and does multiplexing still help in them?",
    parts=(Grid(arms(BASE), SIZES, seeds=20), Grid(exact_arms(BASE), seeds=20)),
    quick=(
        Grid(
            tuple(
                replace(QUICK, **form, bits=bits)
                for form in FORMS[:4]
                for bits in ("float32", "int2")
            ),
            (32, 8),
            seeds=2,
        ),
    ),
    latency=False,
)

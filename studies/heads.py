"""Is the ranking of strategies the same under another head?

Command: ue-bench study heads --workers 2
Cost: 330 runs, 12 minutes on 2 cores that other programs used too.
Expect: the exact table and the milder compressions ahead under every head, one multiplexed table before separate ones.
The factorisation machine's vectors have 16 numbers. Under all heads the recipe is the same and none is tuned for its head.
"""

from dataclasses import replace
from typing import Any

from ue_bench.studies.table_size import RULES

from ue_bench.config import RunConfig
from ue_bench.study import Grid, Study

BASE = RunConfig(features="base", lookups=2, dim=8)
WIDE = replace(BASE, features="wide", evals_per_epoch=4, patience=2)
HEADS: tuple[dict[str, Any], ...] = (
    {"head": "mlp"},
    {"head": "dcn", "hidden": 192},
    {"head": "dot", "hidden": 16},
)
BOTH: tuple[dict[str, Any], ...] = (
    {"strategy": "collisionless"},
    {"strategy": "unified"},
    *({"strategy": "per_feature", "region_rule": rule} for rule in RULES),
    {"strategy": "hash_embedding", "regions": "multiplexed"},
    {"strategy": "hash_embedding", "regions": "separate", "region_rule": "sqrt"},
    {"strategy": "robe", "regions": "multiplexed"},
    {"strategy": "compositional", "regions": "multiplexed"},
    {"strategy": "multi_hash_sum", "regions": "multiplexed"},
)
# These work on `base` alone: at 1/128 of the exact table's bytes even a row of one number for each value is too much.
EXACT: tuple[dict[str, Any], ...] = (
    {"strategy": "low_dim_exact", "regions": "multiplexed"},
    {"strategy": "int8"},
)


def arms(config: RunConfig, forms: tuple[dict[str, Any], ...]) -> tuple[RunConfig, ...]:
    """Every form under every head."""
    return tuple(replace(config, **head, **form) for head in HEADS for form in forms)


STUDY = Study(
    question="is the ranking of strategies the same under another head?",
    parts=(Grid(arms(BASE, BOTH + EXACT), (16,)), Grid(arms(WIDE, BOTH), (128,))),
    latency=False,
)

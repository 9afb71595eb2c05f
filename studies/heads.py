"""Is the ranking of strategies the same under another head?

Command: ue-bench study heads --workers 2
Cost: 1,020 runs; with --quick 102.
Expect: the exact table and the milder compressions ahead under every head, and one multiplexed
table ahead of separate ones.

The vectors of the factorisation machine have 16 numbers. All heads have one recipe, which is
tuned for none of them.
"""

from dataclasses import replace
from typing import Any

from ue_bench.studies.table_size import HEADLINE_SEEDS, RULES

from ue_bench.config import RunConfig
from ue_bench.study import Grid, Study, anchor_arms

BASE = RunConfig(features="base", lookups=2, dim=8)
Fields = dict[str, Any]

HEADS: tuple[Fields, ...] = (
    {"head": "mlp"},
    {"head": "dcn", "hidden": 192},
    {"head": "dot", "hidden": 16},
)
BOTH: tuple[Fields, ...] = (
    {"strategy": "collisionless"},
    {"strategy": "unified"},
    *[{"strategy": "per_feature", "region_rule": rule} for rule in RULES],
    {"strategy": "hash_embedding", "regions": "multiplexed"},
    {"strategy": "hash_embedding", "regions": "separate", "region_rule": "sqrt"},
    {"strategy": "robe", "regions": "multiplexed"},
    {"strategy": "compositional", "regions": "multiplexed"},
    {"strategy": "multi_hash_sum", "regions": "multiplexed"},
)
EXACT: tuple[Fields, ...] = (
    {"strategy": "low_dim_exact", "regions": "multiplexed"},
    {"strategy": "int8"},
)


def arms(config: RunConfig, forms: tuple[Fields, ...]) -> tuple[RunConfig, ...]:
    """Every form under every head, and beside them the anchors, which have none."""
    configs = []
    for head in HEADS:
        under_head = replace(config, **head)
        for form in forms:
            configs.append(replace(under_head, **form))
        configs += anchor_arms(under_head)
    return tuple(configs)


STUDY = Study(
    question="is the ranking of strategies the same under another head?",
    parts=(Grid(arms(BASE, BOTH + EXACT), (16,), seeds=HEADLINE_SEEDS),),
    quick=(Grid(arms(replace(BASE, epochs=10), BOTH + EXACT), (16,), seeds=2),),
    latency=False,
)

"""The list of strategies is light, its import paths lead to methods, and its remarks are true."""

import subprocess
import sys

import pytest
import torch

from ue_bench.features import Feature
from ue_bench.strategies import STRATEGIES, Spec, build, method_of
from ue_bench.strategies.registry import static_strategies
from ue_bench.testing import training_rows

LIST = """
import sys
from ue_bench.strategies import STRATEGIES, all_strategies, method_of, regions_of, strategy_names
assert set(strategy_names()) == set(all_strategies())
for name, entry in STRATEGIES.items():
    print(name, regions_of(name, None), method_of(name))
    print(entry.summary, entry.source, entry.regions, entry.fixed, entry.search, entry.plain_rows)
print(*({"torch", "polars", "numpy", "optuna"} & set(sys.modules)))
"""


def test_listing_loads_nothing_heavy():
    command = [sys.executable, "-c", LIST]
    listing = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    *lines, loaded = listing.splitlines()
    assert len(lines) == 2 * len(STRATEGIES)
    assert loaded == ""


@pytest.mark.parametrize("name", STRATEGIES)
def test_an_import_path_leads_to_the_method(name):
    entry = STRATEGIES[name]
    assert entry.implementation == f"{entry.module}:{entry.class_name}"
    assert entry.method.__name__ == entry.class_name
    assert entry.method.__module__ == entry.module
    assert method_of(name).split()[0] == entry.class_name


@pytest.mark.parametrize("name", static_strategies())
def test_plain_rows_are_those_of_one_table(name):
    entry = STRATEGIES[name]
    features = (
        Feature("user", [f"u{i}" for i in range(60)], 50, range(50, 0, -1)),
        Feature("item", [f"i{i}" for i in range(9)], 9, range(9, 0, -1)),
    )
    spec = Spec(
        name=name,
        features=features,
        lookups=(2, 1),
        dim=8,
        budget=900 if entry.has_budget else None,
        regions=entry.regions[0],
        rows=training_rows(features),
    )
    built = build(spec).eval()
    codes = torch.tensor([[0, 5], [13, 8], [59, 0]])
    built.finish_training()
    weight = dict(built.named_parameters()).get("pool.weight")
    slots = built.slots(codes)
    is_plain = weight is not None and slots.shape[1] == sum(spec.lookups)
    if is_plain:
        rows = weight[slots].flatten(1)
        is_plain = torch.equal(rows, built(codes))
    assert entry.plain_rows == is_plain
    if is_plain:
        assert built.footprint().table == len(weight) * spec.row_bytes

"""A strategy built outside the harness is the same strategy, and a torch module like any other."""

import copy
import os
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import polars as pl
import pytest
import saved_models as made
import torch
from torch import nn

import ue_bench
from ue_bench.errors import BenchError, BudgetError
from ue_bench.features import Feature
from ue_bench.strategies import STRATEGIES, Spec, build
from ue_bench.strategies.registry import static_strategies
from ue_bench.strategies.training_rows import TrainingRows

pytestmark = pytest.mark.usefixtures("one_thread")
PAGE = (Path(__file__).resolve().parents[2] / "docs" / "layer.md").read_text(encoding="utf-8")
SEEN = {
    "user": [f"u{i % 50}" for i in range(90)],
    "item": [f"i{i * i % 37}é" for i in range(90)],
    "flag": ["no", "yes", ""] * 30,
}
BATCH = {"user": ["u3", "nobody", ""], "item": ["i1é", "i0é", "日本"], "flag": ["no", "?", "yes"]}


def layer(name, regions=None, features=SEEN, budget=3_000, seed=0, **given):
    """A layer drawn from init seed 3.

    If the whole table is smaller than the budget, the budget is three quarters of the table. A
    strategy that keeps no budget has none.
    """
    if name in STRATEGIES and not STRATEGIES[name].has_budget:
        budget = None
    torch.manual_seed(3)
    try:
        return ue_bench.embedding(name, features, budget, 8, regions=regions, seed=seed, **given)
    except BudgetError as error:
        return layer(name, regions, features, error.works * 3 // 4, seed, **given)


@pytest.mark.parametrize(("name", "regions"), made.FORMS)
def test_every_strategy_in_every_form(name, regions):
    """A layer equals that of a run on the same features bit for bit, trains in a stranger's module,
    and its state can be loaded into another."""
    made_here = layer(name, regions, region_rule="sqrt", lookups={"user": 2}, seed=9)
    features = []
    for feature, values in SEEN.items():
        distinct = list(dict.fromkeys(values))
        features.append(
            Feature(feature, distinct, len(distinct), [values.count(value) for value in distinct])
        )
    codes = []
    for feature in features:
        codes.append(torch.tensor([feature.values.index(value) for value in SEEN[feature.name]]))
    rows = TrainingRows.of(features, torch.stack(codes, dim=1))
    torch.manual_seed(3)
    budget = made_here.spec.budget
    spec = Spec(
        name=name,
        features=tuple(features),
        lookups=(2, 1, 1),
        dim=8,
        budget=budget,
        regions=regions,
        region_rule="sqrt",
        hash_seed=9,
        rows=rows,
    )
    with torch.no_grad():
        assert torch.equal(
            made_here.from_values(BATCH), build(spec).from_values(list(BATCH.values()))
        )
    model = nn.Sequential(Raw(made_here), nn.Linear(32, 1))
    optimizer = torch.optim.Adam(model.parameters(), 0.05)
    target = torch.tensor([[1.0], [-1.0], [2.0]])
    losses = []
    for _ in range(20):
        loss = nn.functional.mse_loss(model(BATCH), target)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    assert losses[-1] < losses[0] / 2
    other = nn.Sequential(
        Raw(layer(name, regions, region_rule="sqrt", lookups={"user": 2}, seed=9)), nn.Linear(32, 1)
    )
    other.load_state_dict(copy.deepcopy(model.state_dict()))
    with torch.no_grad():
        assert torch.equal(other.eval()(BATCH), model.eval()(BATCH))
        assert torch.equal(copy.deepcopy(model)(BATCH), model(BATCH))


class Raw(nn.Module):
    def __init__(self, embed):
        super().__init__()
        self.embed = embed

    def forward(self, columns):
        return self.embed.from_values(columns)


@pytest.mark.parametrize("name", static_strategies())
def test_a_number_of_values_is_enough_for_those_that_only_hash(name):
    counts = {feature: len(set(values)) for feature, values in SEEN.items()}
    if STRATEGIES[name].needs_vocabulary or STRATEGIES[name].needs_values:
        no_values = "feature 'user': 0 of its 50 values are held here"
        no_counts = "feature user has 0 counts for 50"
        no_rows = "feature 'user': 50 was given, and .* needs to know which values meet"
        with pytest.raises(BenchError, match=f"{no_values}|{no_counts}|{no_rows}"):
            ue_bench.embedding(name, counts, 3_000, 8)
        return
    assert torch.equal(
        layer(name, features=counts).from_values(BATCH), layer(name).from_values(BATCH)
    )


def test_exact_rows_for_few_values_need_these_values():
    counts = {"user": 50, "item": 37}
    built = layer("unified", features=counts | {"flag": SEEN["flag"]}, exact_at_most=3)
    assert [v.size for v in built.vocabularies] == [3]
    with pytest.raises(BenchError, match="feature 'flag': 0 of its 3 values are held here"):
        layer("unified", features=counts | {"flag": 3}, exact_at_most=3)


def test_values_of_every_kind_and_crosses():
    frame = pl.DataFrame({"user": [1, 2, 2, 3], "item": ["a", "b", "b", "c"]})
    expected = layer(
        "collisionless", features={"user": ["1", "2", "2", "3"], "item": ["a", "b", "b", "c"]}
    )
    for features in (
        {"user": frame["user"], "item": frame["item"].to_list()},
        dict(frame.to_pandas().items()),
        {"user": np.array([1, 2, 3]), "item": ("a", "b", "c")},
    ):
        built = layer("collisionless", features=features)
        given = pd.DataFrame({"user": [2, 9], "item": ["b", "z"]})
        assert torch.equal(built.from_values(given), expected.from_values([["2", "9"], ["b", "z"]]))
    crossed = layer("unified", features={"user": 3, "user*item": 9})
    by_name = crossed.from_values({"user": [1, 2], "item": ["a", ""]})
    assert torch.equal(by_name, crossed.from_values([["1", "2"], ["1\x1fa", "2\x1f"]]))
    assert torch.equal(crossed.from_values({"user": [b"1", 2], "item": ["a", b""]}), by_name), (
        "bytes are their text"
    )


def test_it_goes_to_a_device():
    built = layer("unified").to("meta")
    assert built.from_values(BATCH).device.type == "meta"
    assert built.from_values({name: [] for name in BATCH}).shape == (0, 24)


@pytest.mark.parametrize(
    ("asked", "told"),
    [
        ({"strategy": "unifed"}, "did you mean 'unified'?"),
        ({"features": {}}, "features: {} was given"),
        ({"features": ["user"]}, "features: "),
        ({"features": {"user": 0}}, "feature 'user': 0 was given; give at least 1"),
        ({"features": {"user": True}}, "True was given"),
        ({"features": {"user": []}}, "no values were given"),
        ({"features": {"user": [None]}}, "'user': None is a NoneType"),
        ({"features": {"user": 1.5}}, "values are one float"),
        ({"dim": 0}, "dim: 0 was given"),
        ({"seed": -1}, "seed: -1"),
        ({"seed": 2**32}, "must be below 2**32"),
        ({"budget": "28kB"}, "budget: '28kB' was given"),
        ({"budget": None}, "needs a budget"),
        ({"budget": 31}, "to at least 32"),
        ({"strategy": "collisionless", "features": {"user": ["a", "b"]}}, "leave the budget out"),
        ({"lookups": 0}, "lookups: 0"),
        ({"lookups": {"usr": 2}}, "unknown lookups for feature 'usr'"),
        ({"hash_seeds": {"user": [1, 2]}}, "2 seeds were given"),
        ({"init": "zeros"}, "unknown init"),
        ({"regions": "separate"}, "it has multiplexed"),
        ({"knob": 1}, "unknown knob of unified 'knob'"),
        ({"exact_at_most": -1}, "exact_at_most"),
        ({"strategy": "per_feature", "budget": 160, "region_rule": "log"}, "region rule 'log'"),
        ({"region_cap": "rows"}, "unknown region cap 'rows'"),
        (
            {"strategy": "per_feature"},
            "more than the 5 rows of 8 numbers that its features can use",
        ),
    ],
    ids=str,
)
def test_what_is_no_layer_is_told(asked, told):
    whole = {"strategy": "unified", "features": {"user": 5}, "budget": 640, "dim": 8} | asked
    with pytest.raises(BenchError) as error:
        ue_bench.embedding(**whole).from_values({"user": ["a"]})
    assert told in str(error.value)
    assert "\n" not in str(error.value)


def test_a_call_that_does_not_fit_is_told():
    built = layer("unified")
    with pytest.raises(BenchError, match=r"2 columns were given; 3 features need one each"):
        built.from_values([["a"], ["b"]])
    with pytest.raises(BenchError, match=r"unknown column 'users' \(did you mean 'user'\?\)"):
        built.from_values({"users": ["a"], "item": ["b"], "flag": ["c"]})


@pytest.mark.slow
def test_the_page_as_printed(tmp_path):
    """Its blocks, one after the other, are a program that asserts what the page claims."""
    program = "\n".join(re.findall(r"^```python\n(.*?)^```", PAGE, re.DOTALL | re.MULTILINE))
    done = subprocess.run(
        [sys.executable, "-c", program],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
    )
    assert done.returncode == 0, done.stderr
    told = re.findall(r"log loss ([\d.]+); of the mean ([\d.]+)", done.stdout)
    assert len(told) == 4
    assert all(float(reached) < float(mean) for reached, mean in told)


def test_a_cross_with_spaces_is_the_one_without():
    raw = {"user": ["1", "2"], "item": ["a", "b"]}
    spaced = layer("unified", features={"user": 9, "user * item": 99}, lookups={"user * item": 2})
    plain = layer("unified", features={"user": 9, "user*item": 99}, lookups={"user*item": 2})
    assert torch.equal(spaced.from_values(raw), plain.from_values(raw))
    seeds = {"hash_seeds": {"user * item": [7]}}
    spaced = layer("unified", features={"user": 9, "user *item": 99}, **seeds)
    plain = layer("unified", features={"user": 9, "user*item": 99}, hash_seeds={"user*item": [7]})
    assert torch.equal(spaced.from_values(raw), plain.from_values(raw))
    with pytest.raises(BenchError, match=r"feature 'user\*item' is given twice, with and without"):
        layer("unified", features={"user*item": 99, "user * item": 99})

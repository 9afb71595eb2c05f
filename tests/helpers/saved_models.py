"""Tiny trained models of every kind, and their rows, for tests of what is saved."""

import hashlib
import json
from dataclasses import replace

import torch

from ue_bench.config import RunConfig
from ue_bench.errors import BudgetError
from ue_bench.features import CROSS, Feature
from ue_bench.strategies import STRATEGIES
from ue_bench.strategies.registry import static_strategies
from ue_bench.strategies.training_rows import TrainingRows
from ue_bench.training.assembly import (
    make_model,
    make_recipe,
    make_spec,
    without_ignored_budget,
)
from ue_bench.training.loss import Scale
from ue_bench.training.model import RatingModel
from ue_bench.training.model_folder import CONFIG
from ue_bench.training.resolve import resolve
from ue_bench.training.train import Rows, fit

USERS = [f"u{i}" for i in range(60)]
ITEMS = [f"i{i}é" for i in range(40)]
FLAGS = ["no", "yes", ""]
# The last values of each feature are unseen. Values are not in the order of their names or counts.
FEATURES = (
    Feature("user", USERS, 50, [1 + 7 * i % 50 for i in range(50)]),
    Feature("item", ITEMS, 33, [3] * 33),
    Feature("flag", FLAGS, 3, [60, 30, 10]),
    Feature(
        name="user*flag",
        values=[user + CROSS + flag for user in USERS for flag in FLAGS],
        n_seen=150,
        counts=[1 + i % 4 for i in range(150)],
    ),
)
ASKED = RunConfig(
    features="user,item,flag,user*flag",
    budget=4_000,
    dim=8,
    lookups={"user": 2},
    region_rule="sqrt",
    hidden=8,
    epochs=2,
    batch_size=32,
    init_seed=3,
    hash_seed=5,
)
FORMS = [(name, regions) for name in static_strategies() for regions in STRATEGIES[name].regions]


def columns(n: int = 96) -> dict[str, list[str]]:
    """Return raw values of n rows, some of them unseen."""
    generator = torch.Generator().manual_seed(1)
    raw = {}
    for name, values in {"user": USERS, "item": ITEMS, "flag": FLAGS}.items():
        codes = torch.randint(len(values), (n,), generator=generator)
        raw[name] = [values[code] for code in codes.tolist()]
    return raw


def rows(n: int = 96) -> Rows:
    """Return the rows of `columns` as the trainer has them."""
    raw = columns(n)
    pairs = zip(raw["user"], raw["flag"], strict=True)
    raw["user*flag"] = [user + CROSS + flag for user, flag in pairs]
    codes = []
    for feature in FEATURES:
        codes.append([feature.values.index(value) for value in raw[feature.name]])
    ratings = torch.arange(n) % 5 + 1.0
    return Rows(torch.tensor(codes, dtype=torch.int32).t().contiguous(), ratings)


TRAINED_ON = TrainingRows.of(FEATURES, rows().codes)


def trained(**changes) -> tuple[RatingModel, RunConfig]:
    """Return a model trained for two epochs, as it is served, and its configuration.

    A budget that the strategy cannot use is lowered.
    """
    config = without_ignored_budget(resolve(replace(ASKED, **changes)))
    try:
        scale = Scale.of(rows().ratings.numpy())
        model = make_model(
            config, replace(make_spec(config, FEATURES), rows=TRAINED_ON), 3.0, scale
        )
    except BudgetError as error:
        return trained(**changes | {"budget": error.works * 3 // 4})
    fit(model, rows(), rows(32), make_recipe(config))
    return model.eval(), config


def rewrite(folder, **changes) -> None:
    """Change config.json with a checksum that fits, as a newer program might have written it."""
    path = folder / CONFIG
    content = json.loads(path.read_text()) | changes
    content.pop("checksum")
    text = json.dumps(content, sort_keys=True, separators=(",", ":"))
    content["checksum"] = hashlib.sha256(text.encode()).hexdigest()
    path.write_text(json.dumps(content))

"""Builds the parts of a run from its configuration: the strategy's spec, the model and the
recipe."""

from collections.abc import Mapping
from dataclasses import replace

import torch

from ue_bench.config import RunConfig
from ue_bench.config.lookups import lookups_by_name
from ue_bench.config.stream_split import STREAM
from ue_bench.errors import BenchError, unknown
from ue_bench.features import Feature
from ue_bench.hashing import salted
from ue_bench.strategies import Spec, build, entry_of, is_anchor
from ue_bench.strategies.number_format import NumberFormat
from ue_bench.training.loss import LOSSES, Loss, Scale, StandardisedError
from ue_bench.training.model import RatingModel
from ue_bench.training.train import SPARSE, Recipe

# Numbers of a pool up to which adam takes the dense path. At 160,000 numbers a dense step of 256
# rows and 7 lookups of 16 numbers takes half as long as a sparse one, at 1.6 million 1.3 times as
# long, and at 16 million 9 times as long (`ue-bench speed step`). The exact table of `wide` on
# ML-100K has 1.1 million and stays on the dense path, as in its published records.
DENSE_UP_TO = 1_500_000


def make_model(
    config: RunConfig, spec: Spec, mean_rating: float, scale: Scale | None = None
) -> RatingModel:
    """Return the model of a configuration.

    Its initial values are drawn from the init seed: first those of the table, then those of the
    head.

    scale: of the training targets, for a model that is to be trained as `target_scale` says; None:
        its outputs are as they are served.
    """
    torch.manual_seed(config.init_seed)
    exact_at_most = 0
    if config.low_cardinality == "exact":
        exact_at_most = config.low_cardinality_max
    rating_bias = None
    if config.rating_bias == "mean":
        rating_bias = mean_rating
    return RatingModel(
        strategy=build(spec, exact_at_most),
        head=config.head,
        hidden=config.hidden,
        dropout=config.dropout,
        rating_bias=rating_bias,
        loss=_loss(config, scale),
        head_init=config.head_init,
    )


def _loss(config: RunConfig, scale: Scale | None) -> Loss:
    if scale is not None and config.target_scale == "standard":
        return StandardisedError(scale)
    return LOSSES[config.task]


def make_recipe(config: RunConfig) -> Recipe:
    """Return how a configuration trains."""
    return Recipe(
        optimizer=config.optimizer,
        lr=config.lr,
        weight_decay=config.weight_decay,
        batch_size=config.batch_size,
        epochs=config.epochs,
        patience=config.patience,
        evals_per_epoch=config.evals_per_epoch,
        stop_above=config.stop_above,
        give_up_epochs=config.give_up_epochs,
        give_up_above=config.give_up_above,
        average_epochs=config.average_epochs,
        seed=config.batch_seed,
    )


def make_spec(config: RunConfig, features: tuple[Feature, ...]) -> Spec:
    """Return what the strategy of a configuration is built from.

    Raises BenchError for lookups or hash seeds of a feature that is absent, and for a width that is
    too small.
    """
    names = [feature.name for feature in features]
    lookups = _lookups(config, names)
    hash_seeds = config.hash_seeds or {}
    _require_features(hash_seeds, names, "hash seeds for feature")
    sparse, sparse_above = sparse_path(config)
    return Spec(
        name=config.strategy,
        features=features,
        lookups=lookups,
        dim=_dim(config, sum(lookups)),
        budget=config.budget,
        regions=config.regions or "",
        numbers=NumberFormat.of(config.by_name()),
        region_rule=config.region_rule,
        region_cap=config.region_cap,
        hash_seed=salted(config.hash_seed, config.hash_salt),
        hash_seeds=hash_seeds,
        value_dropout=config.value_dropout,
        grows=config.split == STREAM,
        init=config.init,
        init_scale=config.init_scale,
        keep_slots=config.slots == "cached",
        sparse=sparse,
        sparse_above=sparse_above,
        options=config.options,
    )


def sparse_path(config: RunConfig) -> tuple[bool, int]:
    """Return whether gradients of the pools are sparse, and up to which size they are dense anyway.

    The size is the numbers of a pool.
    """
    if config.optimizer_path != "auto":
        return config.optimizer_path == "sparse", 0
    if config.optimizer == "adam" and not config.weight_decay:
        return True, DENSE_UP_TO
    return config.optimizer in SPARSE, 0


def has_budget(config: RunConfig) -> bool:
    """Return whether the budget sets the size of the strategy.

    The exact table and the anchors have a size of their own.
    """
    if is_anchor(config.strategy):
        return False
    return entry_of(config.strategy).has_budget


def without_ignored_budget(config: RunConfig) -> RunConfig:
    """Return the configuration without its budget where the strategy keeps none.

    All budgets of such a strategy are then one run.
    """
    if has_budget(config):
        return config
    return replace(config, budget=None)


def _lookups(config: RunConfig, names: list[str]) -> tuple[int, ...]:
    """Return the lookups of each feature."""
    if isinstance(config.lookups, dict):
        _require_features(config.lookups, names, "lookups for feature")
    by_name = lookups_by_name(config.lookups, names)
    return tuple(by_name[name] for name in names)


def _dim(config: RunConfig, n_lookups: int) -> int:
    """Return the numbers of one lookup."""
    if config.dim is not None:
        dim = config.dim
    else:
        dim = (config.width or 0) // n_lookups
    if dim < 1:
        raise BenchError(
            f"width: {config.width} was given for {n_lookups} lookups; raise it to at least "
            f"{n_lookups}"
        )
    return dim


def _require_features(by_name: Mapping[str, object], names: list[str], kind: str) -> None:
    for name in by_name:
        if name not in names:
            raise unknown(kind, name, names)

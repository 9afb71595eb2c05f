"""What is known of all rows of a data set without encoding a split of them."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple, cast

import numpy as np

from ue_bench import data
from ue_bench.config import RunConfig
from ue_bench.features import Counts, Feature
from ue_bench.training.split_parts import PARTS


class AllRows(NamedTuple):
    """All rows of a data set.

    n_rows: how many there are.
    features: those of a configuration, as if training saw every row. entities: user and item.
    mean_mse: the MSE of the training mean on the test rows of the first split, or on the validation
    rows where it has no test rows.
    """

    n_rows: int
    features: tuple[Feature, ...]
    entities: tuple[Feature, Feature]
    mean_mse: float


def n_rows_of(config: RunConfig, data_dir: Path | None = None) -> int:
    """Return how many rows the data set of a configuration has, whatever part of them it uses."""
    return data.load(config.dataset, data_dir, config.table).n_rows


def all_rows(config: RunConfig, data_dir: Path | None = None) -> AllRows:
    """Return what is known of all rows of a configuration's data set, whatever part it uses.

    Raises BenchError for a data set that is absent or damaged, and for one without the features or
    the split of the configuration.
    """
    dataset = data.load(config.dataset, data_dir, config.table)
    names = dataset.feature_names(config.features)
    separators = data.multi_valued(dataset, names, config.multi_valued)
    features = []
    for name in names:
        feature = data.with_bags(_seen(dataset, name), separators)
        features.append(replace(feature, min_count=config.min_count))
    user, item = dataset.entities
    return AllRows(
        n_rows=dataset.n_rows,
        features=tuple(features),
        entities=(_seen(dataset, user), _seen(dataset, item)),
        mean_mse=_mean_mse(dataset, config),
    )


def _seen(dataset: data.Dataset, name: str) -> Feature:
    """Return a feature as if training saw every row."""
    coded = dataset.coded(name)
    values = cast(Sequence[str], coded.values.alias(name))
    counts = np.bincount(coded.codes, minlength=len(values))
    return Feature(name, values, n_seen=len(values), counts=Counts(counts))


def _mean_mse(dataset: data.Dataset, config: RunConfig) -> float:
    target = dataset.target
    parts = data.split(dataset, config.split, config.split_seed, config.blocks)
    if config.task == "binary":
        target, parts = data.label(target, parts, config.negative_at_most, config.positive_at_least)
    scored = target[parts == PARTS["test"]]
    if not len(scored):
        scored = target[parts == PARTS["val"]]
    mean = target[parts == PARTS["train"]].mean(dtype=np.float64)
    return float(np.square(scored - mean).mean(dtype=np.float64))

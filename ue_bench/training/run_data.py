"""The data of a run: its data set, its rows as numbers, and what a study asks before it runs."""

from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple, cast

import numpy as np
import torch

from ue_bench import data
from ue_bench.config import RunConfig
from ue_bench.config.entities import GIVEN, OPTION, entities_text
from ue_bench.data.catalog import TABLE
from ue_bench.errors import BenchError
from ue_bench.features import ColumnReader, Feature
from ue_bench.strategies import Spec, entry_of
from ue_bench.strategies.training_rows import TrainingRows
from ue_bench.training.assembly import make_spec
from ue_bench.training.split_parts import PARTS
from ue_bench.training.train import Rows

PAGE_BYTES = 4096


def dataset_of(config: RunConfig, data_dir: Path | None = None) -> data.Dataset:
    """Return the data set of a configuration, with the part of its rows that it uses.

    Raises BenchError for a data set that is absent or damaged; for a part, also for one without the
    features.
    """
    dataset = data.load(config.dataset, data_dir, config.table)
    return data.thinned(dataset, config.features, config.rows_fraction)


def encoded_of(
    config: RunConfig, data_dir: Path | None = None
) -> tuple[data.Dataset, data.Encoded]:
    """Return the data set of a configuration, and its rows as numbers.

    Raises BenchError for a data set that is absent or damaged, and for one without the features or
    the split of the configuration.
    """
    dataset = dataset_of(config, data_dir)
    names = dataset.feature_names(config.features)
    encoded = data.encoded_split(dataset, names, config)
    features = tuple(replace(feature, min_count=config.min_count) for feature in encoded.features)
    return dataset, replace(encoded, features=features)


def reader_of(config: RunConfig, dataset: data.Dataset) -> ColumnReader:
    """Return what reads raw rows as the data set of a configuration was read."""
    names = dataset.feature_names(config.features)
    return ColumnReader(
        features=names,
        rules=dataset.rules,
        separators=data.multi_valued(dataset, names, config.multi_valued),
    )


def rows_of(
    encoded: data.Encoded, part: int, device: torch.device, most: int | None = None
) -> Rows:
    """Return the rows of one part of the split as tensors on a device.

    encoded: with the rows of each part together, of which those on the CPU are views.

    most: of these rows, the first ones are enough; None: all of them.
    """
    bounds = np.array([part, part + 1], encoded.parts.dtype)  # of another type: parts are copied
    start, end = np.searchsorted(encoded.parts, bounds)
    if most is not None:
        end = min(end, start + most)
    codes = encoded.codes[start:end]
    ratings = encoded.ratings[start:end]
    _read_pages(codes)
    _read_pages(ratings)
    return Rows(
        codes=torch.from_numpy(codes).to(device),
        ratings=torch.from_numpy(ratings).to(device),
    )


def _read_pages(rows: np.ndarray) -> None:
    """Read a number of each page of memory.

    Rows of a mapped file become resident when they are read first, and would otherwise be taken for
    memory of the training.
    """
    numbers = rows.reshape(-1)
    numbers[:: PAGE_BYTES // numbers.itemsize].sum()


def spec_of(config: RunConfig, encoded: data.Encoded) -> Spec:
    """Return what the strategy of a run is built from, with training rows if it needs them."""
    spec = make_spec(config, encoded.features)
    if not entry_of(config.strategy).needs_rows:
        return spec
    codes = rows_of(encoded, PARTS["train"], torch.device("cpu")).codes
    return replace(spec, rows=TrainingRows.of(spec.features, codes))


def warnings_of(dataset: data.Dataset, config: RunConfig) -> list[str]:
    """Return one line for each column of the data set that says nothing to a run.

    Raises BenchError for a multi-valued feature that the data set lacks.
    """
    separators = data.multi_valued(dataset, dataset.features, config.multi_valued)
    return list(dataset.warnings(separators))


def cardinalities(config: RunConfig, data_dir: Path | None = None) -> dict[str, int]:
    """Return the number of distinct values of each feature of a configuration."""
    return {feature.name: feature.cardinality for feature in _whole_features(config, data_dir)}


def exact_table_bytes(config: RunConfig, data_dir: Path | None = None) -> int:
    """Return the bytes of the exact table of all distinct values, at the configuration's width."""
    return make_spec(config, _whole_features(config, data_dir)).exact_table_bytes


def _whole_features(config: RunConfig, data_dir: Path | None) -> tuple[Feature, ...]:
    """Return the features of a configuration with all their values, none of them seen."""
    dataset = dataset_of(config, data_dir)
    names = dataset.feature_names(config.features)
    separators = data.multi_valued(dataset, names, config.multi_valued)
    features = []
    for name in names:
        values = cast(Sequence[str], dataset.coded(name).values)
        features.append(data.with_bags(Feature(name, values, n_seen=0), separators))
    return tuple(features)


def is_table(config: RunConfig) -> bool:
    """Return whether the data set of a configuration is a table, one with a name too."""
    if config.table is not None:
        return True
    info = data.DATASETS.get(config.dataset)
    return info is not None and info.layout == TABLE


def data_fault(configs: Iterable[RunConfig], data_dir: Path | None = None) -> str | None:
    """Return what the data set of these configurations lacks: features, separators or labels.

    A configuration whose split cannot be had is passed over. None where nothing is lacking.
    """
    dataset = None
    for config in configs:
        if dataset is None:
            dataset = dataset_of(config, data_dir)
        try:
            parts = data.split(dataset, config.split, config.split_seed)
        except BenchError:
            continue
        try:
            names = dataset.feature_names(config.features)
            data.multi_valued(dataset, names, config.multi_valued)
            if config.task == "binary":
                data.label(dataset.target, parts, config.negative_at_most, config.positive_at_least)
        except BenchError as error:
            return str(error)
    return None


class Look(NamedTuple):
    """What a study asks of a data set before it runs.

    fault: why the data set cannot be split as asked, None where it can. without_anchors: why no
    anchor can run on it, None where all can. remarks: one line about its user and item, where these
    are not given, and one for each warning.
    """

    fault: str | None
    without_anchors: str | None
    remarks: tuple[str, ...]


def look(config: RunConfig, data_dir: Path | None = None) -> Look:
    """Read the data set of a configuration and say what a study asks."""
    dataset = dataset_of(config, data_dir)
    remarks = [f"warning: {warning}" for warning in warnings_of(dataset, config)]
    entities = entities_text(dataset.facts)
    if entities and set(dataset.entities_chosen) != {GIVEN}:
        remarks.insert(0, f"{dataset.name}: {entities}")
    fault = None
    try:
        data.split(dataset, config.split, config.split_seed)
    except BenchError as error:
        fault = str(error)
    return Look(fault=fault, without_anchors=entities_fault(dataset), remarks=tuple(remarks))


def entities_fault(dataset: data.Dataset) -> str | None:
    """Return why a data set has no user and item to predict from, or None where it has both."""
    user, item = dataset.entities
    if user != item:
        return None
    return (
        f"it needs user and item, and in {dataset.name} the feature {user!r} is both; name them by "
        f"{OPTION}"
    )


def checksum_of(name: str, data_dir: Path | None = None) -> str:
    """Return the checksum of the files of a data set that has a name, without reading its rows."""
    return data.checksum_of(name, data_dir)


def rows_checksum_of(name: str, data_dir: Path | None = None) -> str | None:
    """Return the checksum of the rows of a data set that has a name, or None where it has none."""
    return data.load(name, data_dir).rows_checksum

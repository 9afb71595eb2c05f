"""The rows of a split as numbers, which are kept for the next run on the same split."""

from collections.abc import Sequence
from typing import Any, cast

import numpy as np
import polars as pl

from ue_bench.config import RunConfig
from ue_bench.config.stream_split import STREAM
from ue_bench.data.binary_labels import label
from ue_bench.data.dataset import Dataset
from ue_bench.data.encoding import Encoded, by_part, encode
from ue_bench.data.kept.coded_store import key_of
from ue_bench.data.kept.kept_contents import Contents, Holder
from ue_bench.data.kept.kept_dataset import KeptDataset
from ue_bench.data.multi_valued_features import multi_valued
from ue_bench.data.splitting import SEEDED, UNUSED, split
from ue_bench.features import Bags, Counts, Feature

_OF_ROWS = ("codes", "ratings", "parts", "parts_in_file")
_OPTIONAL = ("best", "order")
_ENTITIES = ("user", "item")


def encoded_split(dataset: Dataset, names: tuple[str, ...], config: RunConfig) -> Encoded:
    """Return the rows of a configuration's split as numbers, those of each part together.

    names: of the features. The features have no `min_count`.
    Raises BenchError for features of several values, a split or labels that cannot be had.
    """
    separators = multi_valued(dataset, names, config.multi_valued)
    if not isinstance(dataset, KeptDataset):
        return _encode(dataset, names, config, separators)
    identity = {
        "data": dataset.key,
        "features": names,
        "split": config.split,
        "seed": config.split_seed if config.split in SEEDED else None,
        "blocks": config.blocks if config.split == STREAM else None,
        "task": config.task,
        "negative_at_most": config.negative_at_most,
        "positive_at_least": config.positive_at_least,
        "separators": separators,
    }
    title = f"{dataset.name}: {len(names)} features, split {config.split}"
    holder = dataset.store.keep(
        key_of(identity),
        title,
        lambda: _contents_of(_encode(dataset, names, config, separators)),
    )
    return _encoded_from(holder, names)


def _encode(
    dataset: Dataset, names: tuple[str, ...], config: RunConfig, separators: dict[str, str]
) -> Encoded:
    target = dataset.target
    parts = split(dataset, config.split, config.split_seed, config.blocks)
    if config.task == "binary":
        target, parts = label(target, parts, config.negative_at_most, config.positive_at_least)
    times = None
    if config.split == STREAM:
        times = np.asarray(dataset.times)[parts != UNUSED]
    return by_part(encode(dataset, names, parts, target, separators), times)


def _contents_of(encoded: Encoded) -> Contents:
    contents = Contents()
    for name in _OF_ROWS:
        contents.arrays[name] = getattr(encoded, name)
    for name in _OPTIONAL:
        array = getattr(encoded, name)
        if array is not None:
            contents.arrays[name] = array
    names = [feature.name for feature in encoded.features]
    for number, feature in enumerate(encoded.features):
        _add(contents, f"feature {number}", feature)
    for entity, feature in zip(_ENTITIES, encoded.entities, strict=True):
        if any(feature is other for other in encoded.features):
            contents.meta[entity] = {"feature": names.index(feature.name)}
        else:  # it is no feature, or its texts are several values as a feature
            _add(contents, entity, feature)
        if feature.name not in names:
            contents.arrays[entity] = getattr(encoded, entity)
    contents.meta["named_users"] = encoded.user_names is not None
    contents.meta["arrays"] = list(contents.arrays)
    return contents


def _add(contents: Contents, place: str, feature: Feature) -> None:
    contents.meta[place] = {"name": feature.name, "n_seen": feature.n_seen}
    contents.columns[f"{place} values"] = pl.Series(feature.values, dtype=pl.String)
    contents.arrays[f"{place} counts"] = np.asarray(feature.counts, np.int64)
    if feature.bags is not None:
        contents.arrays[f"{place} offsets"] = feature.bags.offsets
        contents.arrays[f"{place} members"] = feature.bags.members


def _encoded_from(holder: Holder, names: tuple[str, ...]) -> Encoded:
    features = tuple(_feature(holder, f"feature {number}") for number in range(len(names)))
    user, item = (_entity(holder, entity, features) for entity in _ENTITIES)
    codes = holder.array("codes")
    of_user, of_item = (
        holder.array(entity) if entity in holder.meta["arrays"] else codes[:, names.index(name)]
        for entity, name in zip(_ENTITIES, (user.name, item.name), strict=True)
    )
    return Encoded(
        features=features,
        codes=codes,
        ratings=holder.array("ratings"),
        parts=holder.array("parts"),
        parts_in_file=holder.array("parts_in_file"),
        user=of_user,
        item=of_item,
        entities=(user, item),
        user_names=user.values if holder.meta["named_users"] else None,
        best=_optional(holder, "best"),
        order=_optional(holder, "order"),
    )


def _entity(holder: Holder, entity: str, features: Sequence[Feature]) -> Feature:
    number: int | None = holder.meta[entity].get("feature")
    return _feature(holder, entity) if number is None else features[number]


def _feature(holder: Holder, place: str) -> Feature:
    facts: dict[str, Any] = holder.meta[place]
    bags = None
    if f"{place} offsets" in holder.meta["arrays"]:
        bags = Bags(holder.array(f"{place} offsets"), holder.array(f"{place} members"))
    return Feature(
        name=facts["name"],
        values=cast(Sequence[str], holder.texts(f"{place} values").alias(facts["name"])),
        n_seen=facts["n_seen"],
        counts=Counts(holder.array(f"{place} counts")),
        bags=bags,
    )


def _optional(holder: Holder, name: str) -> np.ndarray | None:
    return holder.array(name) if name in holder.meta["arrays"] else None

"""Multi-valued features: texts such as `Action|Comedy` become bags of single values."""

from collections.abc import Mapping, Sequence
from typing import cast

import numpy as np
import polars as pl

from ue_bench.data.dataset import Dataset
from ue_bench.errors import BenchError, unknown
from ue_bench.features import CROSS, Bags, Feature

SEPARATOR = "|"  # between the values of a feature that a configuration calls multi-valued


def multi_valued(dataset: Dataset, features: Sequence[str], asked: str | None) -> dict[str, str]:
    """The separator of each multi-valued feature: those that the data set calls so (lists), and those that a configuration does.

    asked: names with commas between, or None. Raises BenchError for one that is neither among `features` nor a part of a cross
    there, and for one given twice.
    """
    own = dict(dataset.separators)
    if asked is None:
        return own
    names, known = (
        [name.strip() for name in asked.split(",")],
        dict.fromkeys(p for name in features for p in _parts(name)),
    )
    for name in names:
        if name not in known:
            raise unknown("multi-valued feature", name, known)
        if names.count(name) > 1:
            raise BenchError(f"multi_valued: {name!r} is given twice; leave one out")
    return dict.fromkeys(names, SEPARATOR) | own


def with_bags(feature: Feature, separators: Mapping[str, str]) -> Feature:
    """The feature with its texts split into single values, in order of first appearance, those seen in training still first.

    separators: by the name of a feature, or of a part of a cross: there, each of its values is crossed with the other part's.
    A feature without any of these is given back as it is. A value that a text has several times counts once; an empty text, or an
    empty piece of one, is the value "".
    """
    owners = [separators.get(name) for name in _parts(feature.name)]
    if not any(owners):
        return feature
    columns = [str(place) for place in range(len(owners))]
    texts = pl.Series(feature.values, dtype=pl.String)
    parts = (
        texts.str.splitn(CROSS, len(owners))
        .struct.rename_fields(columns)
        .struct.unnest()
        .with_row_index("bag")
    )
    for column, separator in zip(columns, owners, strict=True):
        if separator:
            parts = parts.with_columns(pl.col(column).str.split(separator)).explode(column)
    single = parts.select("bag", pl.concat_str(columns, separator=CROSS).alias("value")).unique(
        maintain_order=True
    )
    numbered = single.select(pl.col("value").unique(maintain_order=True)).with_row_index("code")
    members = (
        single.join(numbered, on="value", how="left", maintain_order="left")["code"]
        .to_numpy()
        .astype(np.int64)
    )
    sizes = np.bincount(single["bag"].to_numpy(), minlength=len(texts))
    offsets = np.concatenate([[0], np.cumsum(sizes)])
    seen = members[: offsets[feature.n_seen]]
    n_seen = len(np.unique(seen))
    counts = np.zeros(n_seen, np.int64)
    if len(feature.counts):
        np.add.at(
            counts, seen, np.repeat(np.asarray(feature.counts, np.int64), sizes[: feature.n_seen])
        )
    values = cast(Sequence[str], numbered["value"].alias(feature.name))
    return Feature(
        feature.name,
        values,
        n_seen,
        counts.tolist() if len(feature.counts) else (),
        Bags(offsets, members),
    )


def _parts(feature: str) -> list[str]:
    return [part.strip() for part in feature.split("*")]

"""Multi-valued features: texts such as `Action|Comedy` become bags of single values."""

from collections.abc import Mapping, Sequence
from typing import cast

import numpy as np
import polars as pl

from ue_bench.config.separators import parse_separators
from ue_bench.data.coded import look_up, numbered
from ue_bench.data.dataset import Dataset
from ue_bench.errors import BenchError, unknown
from ue_bench.features import CROSS, Bags, Counts, Feature, needed, parts


def multi_valued(dataset: Dataset, features: Sequence[str], asked: str | None) -> dict[str, str]:
    """Return the separator of each multi-valued feature.

    These are the features that the data set calls so (lists), and those that a configuration names.
    asked: as `config.separators` reads it, or None.
    Raises BenchError for a name that is neither among `features` nor a part of a cross there, for
    one that is given twice, and where a separator has no effect.
    """
    if asked is None:
        return dict(dataset.separators)
    separators = parse_separators(asked)
    columns = needed(features)
    for name, separator in separators.items():
        if name not in columns:
            raise unknown("multi-valued feature", name, columns)
        _require_effect(dataset, name, separator)
    return separators | dict(dataset.separators)


def _require_effect(dataset: Dataset, name: str, separator: str) -> None:
    """Raise BenchError for a column of lists, and where no text has the separator."""
    if name in dataset.separators:
        raise BenchError(
            f"multi_valued: {name!r} holds lists, which always are several values; leave it out"
        )
    if CROSS in separator:
        raise BenchError(
            f"multi_valued: the separator of {name!r} has the character that joins the values of "
            "crosses; choose another in the data"
        )
    if not dataset.coded(name).values.str.contains(separator, literal=True).any():
        raise BenchError(
            f"multi_valued: no value of {name!r} has {separator!r} in it; leave the feature out, "
            f"or write what is between its values: {name}=SEPARATOR"
        )


def n_values(values: pl.Series, separator: str | None) -> int:
    """Return the number of distinct values in texts of one feature, as `with_bags` counts them.

    values: distinct texts. separator: between the values of a text; None where a text is one value.
    """
    if separator is None:
        return len(values)
    return values.str.split(separator).explode().n_unique()


def with_bags(feature: Feature, separators: Mapping[str, str]) -> Feature:
    """Return the feature with its texts split into single values.

    The single values come in order of first appearance, so that those seen in training stay first.
    A value that a text has several times counts once; an empty text, or an empty piece of one, is
    the value "". In a cross, each value is crossed with the other part's.

    separators: by the name of a feature, or of a part of a cross. A feature without any of these is
    returned unchanged.
    """
    of_parts = [separators.get(name) for name in parts(feature.name)]
    if not any(of_parts):
        return feature
    bag_numbers, codes, values = _split_texts(feature.values, of_parts)
    sizes = np.bincount(bag_numbers, minlength=len(feature.values))
    offsets = np.concatenate([[0], np.cumsum(sizes)])
    in_training = codes[: offsets[feature.n_seen]]
    n_seen = len(np.unique(in_training))
    counts: Sequence[int] = ()
    if len(feature.counts):
        rows = np.repeat(np.asarray(feature.counts, np.int64), sizes[: feature.n_seen])
        rows_by_value = np.zeros(n_seen, np.int64)
        np.add.at(rows_by_value, in_training, rows)
        counts = Counts(rows_by_value)
    return Feature(
        name=feature.name,
        values=cast(Sequence[str], values.alias(feature.name)),
        n_seen=n_seen,
        counts=counts,
        bags=Bags(offsets, codes),
    )


def _split_texts(
    texts: Sequence[str], separators: Sequence[str | None]
) -> tuple[np.ndarray, np.ndarray, pl.Series]:
    """Split texts into single values.

    separators: of the parts of a cross, one for a plain feature; None: this part has one value.
    Returns, for each member of each text, the number of the text and the code of the member (int64
    [members]); and the distinct values.
    """
    columns = [f"part {number}" for number in range(len(separators))]
    column_of_texts = pl.Series(texts, dtype=pl.String)
    fields = column_of_texts.str.splitn(CROSS, len(separators))
    frame = fields.struct.rename_fields(columns).struct.unnest().with_row_index("text")
    for column, separator in zip(columns, separators, strict=True):
        if separator is not None:
            frame = frame.with_columns(pl.col(column).str.split(separator)).explode(column)
    value = pl.concat_str(columns, separator=CROSS).alias("value")
    members = frame.select("text", value).unique(maintain_order=True)
    values = members["value"].unique(maintain_order=True)
    codes = look_up(members["value"], numbered(values))
    return members["text"].to_numpy(), codes.to_numpy().astype(np.int64), values

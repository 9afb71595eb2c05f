"""The values that the features of a saved model hold, as tensors: a list of texts becomes its UTF-8
bytes and the offsets between them."""

from collections.abc import Sequence
from itertools import pairwise
from typing import Any, cast

import numpy as np
import polars as pl
import torch
from torch import Tensor

from ue_bench.data.text_column import text_column
from ue_bench.errors import BenchError
from ue_bench.features import Bags, Counts, Feature, Held
from ue_bench.hashing import to_bytes

MOST_COUNTED = 2**53  # training rows, beyond which their sums are no longer exact
MANY = 100_000  # texts from which on they are a column, whose library takes a moment to load


def to_tensors(index: int, feature: Feature) -> dict[str, Tensor]:
    """Return the values that feature number `index` holds, and their counts if it has them.

    A feature that holds no values has no tensors.
    """
    if not feature.n_seen:
        return {}
    utf8, offsets = _bytes_of(feature.values[: feature.n_seen])
    tensors = {
        f"values.{index}.utf8": torch.from_numpy(utf8),
        f"values.{index}.offsets": torch.from_numpy(offsets),
    }
    if feature.counts:
        counts = torch.tensor(np.asarray(feature.counts), dtype=torch.int64)
        tensors[f"values.{index}.counts"] = counts
    return tensors


def pop_feature(index: int, about: dict[str, Any], tensors: dict[str, Tensor]) -> Feature:
    """Return feature number `index`, and remove its values from `tensors`.

    about: the entry of the feature in `config.json`. Raises BenchError for values that do not fit
    it.
    """
    name = about["name"]
    utf8 = tensors.pop(f"values.{index}.utf8", None)
    offsets = tensors.pop(f"values.{index}.offsets", None)
    counts = tensors.pop(f"values.{index}.counts", None)
    texts: Sequence[str] = []
    if utf8 is not None and offsets is not None:
        _require_kind(name, utf8, torch.uint8)
        _require_kind(name, offsets, torch.int64)
        texts = _texts(name, utf8.numpy(), offsets.numpy())
    if len(texts) != about["held"]:
        raise BenchError(
            f"values of feature {name!r}: the file has {len(texts)} and should have "
            f"{about['held']}; save the model again"
        )
    if counts is not None:
        _require_kind(name, counts, torch.int64)
        if len(counts) != len(texts) or (counts < 0).any():
            raise BenchError(
                f"values of feature {name!r}: the file has {len(counts)} counts of {len(texts)} "
                "values and should have one from 0 on for each; save the model again"
            )
        if counts.double().sum() > MOST_COUNTED:
            raise BenchError(
                f"values of feature {name!r}: their counts add up to more than {MOST_COUNTED:,}, "
                "which no training has; save the model again"
            )
    if about["cardinality"] < len(texts):
        raise BenchError(
            f"values of feature {name!r}: the file has {len(texts)}, more than the cardinality of "
            f"{about['cardinality']}; save the model again"
        )
    bags = None
    if about["multi_valued"]:
        bags = Bags.of([])  # no bag is known: rows bring their own
    return Feature(
        name=name,
        values=Held(name, texts, about["cardinality"]),
        n_seen=len(texts),
        counts=[] if counts is None else Counts(counts.numpy()),
        bags=bags,
    )


def _require_kind(name: str, tensor: Tensor, dtype: torch.dtype) -> None:
    """Raise BenchError for a tensor that is no list of numbers of this type."""
    if tensor.dtype != dtype or tensor.dim() != 1:
        raise BenchError(
            f"values of feature {name!r}: the file has {tensor.dtype} of {tensor.dim()} dimensions "
            f"and should have a list of {dtype}; save the model again"
        )


def _bytes_of(values: Sequence[str]) -> tuple[np.ndarray, np.ndarray]:
    """Return the UTF-8 of texts, uint8, and where each starts and the last ends, int64."""
    if isinstance(values, pl.Series) and values.dtype == pl.String:  # no object for each value
        lengths = values.str.len_bytes().to_numpy()
        # joined in blocks, because a text has less than 4 GB
        blocks = [values[start : start + MANY] for start in range(0, len(values), MANY)]
        joined = b"".join(block.str.join("").item().encode() for block in blocks)
    else:
        texts = [to_bytes(value) for value in values]
        lengths = np.array([len(text) for text in texts], np.int64)
        joined = b"".join(texts)
    offsets = np.zeros(len(lengths) + 1, np.int64)
    np.cumsum(lengths, out=offsets[1:])
    return np.frombuffer(bytearray(joined), np.uint8), offsets


def _texts(name: str, utf8: np.ndarray, offsets: np.ndarray) -> Sequence[str]:
    """Return the texts of a file: a list of few, a column of many."""
    if len(offsets) == 0 or offsets[0] != 0 or (np.diff(offsets) < 0).any():
        raise BenchError(
            f"values of feature {name!r}: their offsets do not rise from 0; save the model again"
        )
    if len(utf8) != offsets[-1]:
        raise BenchError(
            f"values of feature {name!r}: the file has {len(utf8)} bytes and should have "
            f"{offsets[-1]}; save the model again"
        )
    try:
        if len(offsets) > MANY:
            return cast(Sequence[str], text_column(utf8, offsets))
        joined = utf8.tobytes()
        return [joined[start:end].decode() for start, end in pairwise(offsets.tolist())]
    except UnicodeDecodeError as error:
        raise BenchError(
            f"values of feature {name!r} are no UTF-8 ({error}); save the model again"
        ) from error

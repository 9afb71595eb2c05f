"""Every integer that looks random: xxh32 of a value's bytes, and seeds that follow from names.

A row is chosen by ``xxh32(value bytes, seed) % size`` everywhere. Many values are hashed by
polars-hash and a handful by xxhash: both give the same numbers, and each is the faster one in its
place. Python's ``hash`` is not used, because it differs between processes.
"""

from collections.abc import Sequence
from functools import lru_cache
from typing import Any

import numpy as np
import polars as pl
import polars_hash  # noqa: F401  (registers the `nchash` namespace of expressions)
import torch
import xxhash

FEW = 128  # values, up to which a Python loop over them costs less than polars' fixed overhead
FEW_TEXTS = 512  # up to which a list is hashed by a loop over xxhash: it does nothing else
ALLOWED = "categories must be str, bytes or int"


@lru_cache(maxsize=2**16)  # a request asks for the same ones again
def lookup_seed(feature: str, lookup: int, hash_seed: int, number: int = 0) -> int:
    """Return the seed of one lookup, below 2**32.

    It follows from the feature's *name*, so that the order of the features changes nothing.
    number: of the hash, if a method takes several in one lookup.
    """
    name = f"{feature}\x1f{lookup}"
    if number != 0:
        name = f"{name}\x1f{number}"
    return xxhash.xxh32_intdigest(name.encode(), hash_seed)


def salted(hash_seed: int, salt: int) -> int:
    """Return the hash seed of a run with a salt, below 2**32; with a salt of 0, its own."""
    if salt == 0:
        return hash_seed
    return xxhash.xxh32_intdigest(f"salt\x1f{salt}".encode(), hash_seed)


def is_few(n_values: int, most: int = FEW) -> bool:
    """Return whether a Python loop has to handle so many values, and not polars.

    most: values, up to which the loop is the faster one.

    A worker process of a torch DataLoader handles any number so: it is forked, and polars waits
    forever for the threads that it had in the process before.
    """
    return n_values <= most or torch.utils.data.get_worker_info() is not None


def hash_rows(values: Any, seeds: Sequence[int], size: int) -> torch.Tensor:
    """Return the rows ``xxh32(value, seed) % size``: int64 [n values, n seeds].

    values: one-dimensional list, tuple, numpy array, polars or pandas Series of str, bytes or int
    (an int hashes as its decimal text). seeds: integers in [0, 2**32).
    Raises TypeError for None, NaN, floats, booleans and anything else that is no category, and
    ValueError for a seed outside its range.
    """
    for seed in seeds:
        if not 0 <= seed < 2**32:
            raise ValueError(f"hash seed {seed} was given; xxh32 takes 0 to 2**32 - 1")
    if isinstance(values, (list, tuple)) and is_few(len(values), FEW_TEXTS):
        return _hash_few(values, seeds, size)
    column = to_column(values).alias("v").to_frame()
    matrix = np.empty((column.height, len(seeds)), np.int64)
    # one query a seed: a query of several starts polars' thread pool, which costs more
    for lookup, seed in enumerate(seeds):
        digests = column.select(_xxh32(seed)).to_series().to_numpy()
        _remainder(digests, size, matrix[:, lookup])
    return torch.from_numpy(matrix)


def digests(values: pl.Series | Sequence[str | bytes]) -> np.ndarray:
    """Return the xxh64 of each value, of which it says more than a row: uint64 [n values].

    values: a column of String, or a list of str and bytes.
    """
    if not isinstance(values, pl.Series):
        return np.array([xxhash.xxh64_intdigest(to_bytes(value)) for value in values], np.uint64)
    column = values.alias("v").to_frame()
    digest = pl.col("v").nchash.xxhash64(seed=0)  # type: ignore[attr-defined]
    return column.select(digest).to_series().to_numpy()


def _hash_few(values: Sequence[Any], seeds: Sequence[int], size: int) -> torch.Tensor:
    digest = xxhash.xxh32_intdigest
    texts = [value.encode() if type(value) is str else to_bytes(value) for value in values]
    rows = [digest(text, seed) % size for text in texts for seed in seeds]
    # numpy reads a flat list several times as fast as torch
    return torch.from_numpy(np.array(rows, np.int64).reshape(len(texts), len(seeds)))


def _remainder(digests: np.ndarray, size: int, rows: np.ndarray) -> None:
    """Write `digests` (uint32) modulo `size` to `rows` (int64).

    It divides, because numpy vectorises a division and not a remainder.
    """
    if size >= 2**32:  # larger than any digest
        rows[:] = digests
        return
    whole = np.floor_divide(digests, np.uint32(size))
    np.multiply(whole, np.uint32(size), out=whole)
    np.subtract(digests, whole, out=rows, casting="unsafe")


@lru_cache(maxsize=4096)
def _xxh32(seed: int) -> pl.Expr:
    return pl.col("v").nchash.xxhash32(seed=seed)  # type: ignore[attr-defined]


def to_bytes(value: Any) -> bytes:
    """Return the bytes of one category. Raises TypeError for anything that is no category."""
    if isinstance(value, str):
        return value.encode()
    if isinstance(value, bytes):
        return value
    if isinstance(value, (int, np.integer)) and not isinstance(value, bool):
        return str(int(value)).encode()
    raise TypeError(
        f"{value!r} is a {type(value).__name__}; {ALLOWED} (give missing values a category of "
        "their own, such as '')"
    )


def to_column(values: Any) -> pl.Series:
    """Return categories as a polars Series (String or Binary, without nulls).

    Raises TypeError for values that are no categories.
    """
    if isinstance(values, pl.Series):
        return _from_polars(values)
    if isinstance(values, torch.Tensor):
        values = values.numpy(force=True)
    elif hasattr(values, "to_numpy"):  # pandas, which is not imported for this
        values = values.to_numpy()
    if isinstance(values, np.ndarray):
        if values.ndim != 1:
            raise TypeError(f"values have shape {list(values.shape)}; they must be one-dimensional")
        if values.dtype.kind in "iu":
            return pl.Series(values).cast(pl.String)
        values = values.tolist()
    if isinstance(values, (str, bytes)) or not isinstance(values, Sequence):
        raise TypeError(
            f"values are one {type(values).__name__}; give a one-dimensional list, tuple, array or "
            "Series of them"
        )
    return _from_sequence(values)


def _from_polars(values: pl.Series) -> pl.Series:
    if values.dtype == pl.Object or values.dtype == pl.Null:
        return _from_sequence(values.to_list())
    if values.null_count():
        to_bytes(None)
    if values.dtype in (pl.String, pl.Binary):
        return values
    if values.dtype.is_integer() or values.dtype in (pl.Categorical, pl.Enum):
        return values.cast(pl.String)
    raise TypeError(f"values are a Series of {values.dtype}; {ALLOWED}")


def _from_sequence(values: Sequence[Any]) -> pl.Series:
    first = type(values[0]) if values else None
    if first in (str, bytes):
        dtype = pl.String if first is str else pl.Binary
        try:
            return _from_polars(pl.Series(values, dtype=dtype))
        except (TypeError, ValueError):
            # polars refuses a mixture; to_bytes accepts it or names the value that is wrong
            return _from_each(values)
    if set(map(type, values)) == {int} and min(values) >= -(2**63) and max(values) < 2**63:
        return pl.Series(values, dtype=pl.Int64).cast(pl.String)
    return _from_each(values)


def _from_each(values: Sequence[Any]) -> pl.Series:
    return pl.Series([to_bytes(value) for value in values], dtype=pl.Binary)

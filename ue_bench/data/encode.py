"""From raw values to integer codes: a value that training has seen has a code below `n_seen`."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import cast

import numpy as np

from ue_bench.data.dataset import Coded, Dataset
from ue_bench.data.splits import TRAIN, UNUSED
from ue_bench.errors import BenchError
from ue_bench.feature import Feature


@dataclass(frozen=True, eq=False)
class Encoded:
    """The rows of a split that are used (N' of them, in file order) as numbers.

    features: F of them; `values` is a polars String Series: those seen in training first, in order of first appearance
    there, then the others, in order of first appearance. A Series takes Python integers as index, not numpy's.
    codes: int64 [N', F], positions in these values. ratings: float32 [N'].
    parts: uint8 [N'], 0 train, 1 validation, 2 test.
    user, item: int64 [N'], the row's user and movie, numbered in the same manner whichever features are used.
    user_seen, item_seen: bool [N'], whether these occur in training.
    """

    features: tuple[Feature, ...]
    codes: np.ndarray
    ratings: np.ndarray
    parts: np.ndarray
    user: np.ndarray
    item: np.ndarray
    user_seen: np.ndarray
    item_seen: np.ndarray


def encode(dataset: Dataset, features: tuple[str, ...], parts: np.ndarray) -> Encoded:
    """Encode the rows whose part is not 3.

    features: names from `Dataset.feature_names`. parts: uint8 [N] from `split`.
    Raises BenchError for a feature that the data set lacks, for none, and for parts that do not fit the rows.
    """
    if not features:
        raise BenchError("features: none given; a row needs at least one")
    if parts.shape != (len(dataset.ratings),):
        raise BenchError(f"parts has shape {parts.shape}, but {dataset.name} has {len(dataset.ratings)} ratings")
    kept = np.flatnonzero(parts != UNUSED)
    parts = parts[kept]
    # training rows first, both in file order: first appearance in this order is the order of the values
    order = np.concatenate([np.flatnonzero(parts == TRAIN), np.flatnonzero(parts != TRAIN)])
    n_train = int((parts == TRAIN).sum())

    def number(name: str) -> tuple[Feature, np.ndarray]:
        return _seen_first(name, dataset.coded(name), kept, order, n_train)

    done = {name: number(name) for name in dict.fromkeys((*features, "user_id", "movie_id"))}
    (users, user), (items, item) = done["user_id"], done["movie_id"]
    codes = np.empty((len(kept), len(features)), np.int64)
    for column, name in enumerate(features):
        codes[:, column] = done[name][1]
    return Encoded(
        features=tuple(done[name][0] for name in features),
        codes=codes,
        ratings=dataset.ratings["rating"].to_numpy()[kept],
        parts=parts,
        user=user,
        item=item,
        user_seen=user < users.n_seen,
        item_seen=item < items.n_seen,
    )


def _seen_first(name: str, coded: Coded, kept: np.ndarray, order: np.ndarray, n_train: int) -> tuple[Feature, np.ndarray]:
    """Renumber by first appearance in `order`, whose first `n_train` rows train. Values in no kept row are dropped."""
    old = coded.codes[kept]
    absent = len(order)
    first = np.full(len(coded.values), absent, np.int64)
    # of several assignments to one place numpy keeps the last: written backwards, the first appearance stays
    first[old[order[::-1]]] = np.arange(absent)[::-1]
    by_appearance = np.argsort(first, kind="stable")
    by_appearance = by_appearance[: int((first < absent).sum())]
    new = np.empty(len(coded.values), np.int64)
    new[by_appearance] = np.arange(len(by_appearance))
    values = cast(Sequence[str], coded.values.gather(by_appearance).alias(name))
    codes, n_seen = new[old], int((first < n_train).sum())
    counts = np.bincount(codes[order[:n_train]], minlength=n_seen).tolist()
    return Feature(name, values, n_seen, counts), codes

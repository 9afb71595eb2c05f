"""From raw values to integer codes: a value that training has seen has a code below `n_seen`."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple, cast

import numpy as np

from ue_bench.data.coded import Coded, chunks, take
from ue_bench.data.dataset import Dataset
from ue_bench.data.multi_valued_features import with_bags
from ue_bench.data.splitting import TRAIN, UNUSED
from ue_bench.errors import BenchError
from ue_bench.features import Feature


@dataclass(frozen=True, eq=False)
class Encoded:
    """The rows of a split that are used (N' of them, in file order) as numbers.

    features: F of them; `values` is a polars String Series: those seen in training first, in order of first appearance
    there, then the others, in order of first appearance. A Series takes Python integers as index, not numpy's.
    codes: int32 [N', F], positions in these values, or numbers of bags of them; a column is whole in memory.
    ratings: the target, float32 [N'], not to be written to.
    parts: uint8 [N'], 0 train, 1 validation, 2 test.
    user, item: int32 [N'], the row's two entities (`Dataset.entities`), numbered in the same manner whichever features are used;
    where these are features, the very columns of `codes`.
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


def encode(
    dataset: Dataset,
    features: tuple[str, ...],
    parts: np.ndarray,
    target: np.ndarray | None = None,
    separators: Mapping[str, str] | None = None,
) -> Encoded:
    """Encode the rows whose part is not 3.

    features: names from `Dataset.feature_names`. parts: uint8 [N] from `split`. target: float32 [N]; None: the ratings.
    separators: of multi-valued features, as in `bags.with_bags`.
    Raises BenchError for a feature that the data set lacks, for none, and for parts that do not fit the rows.
    """
    if not features:
        raise BenchError("features: none given; a row needs at least one")
    if parts.shape != (dataset.n_rows,):
        raise BenchError(
            f"parts has shape {parts.shape}, but {dataset.name} has {dataset.n_rows} {dataset.unit}"
        )
    kept = None if (parts != UNUSED).all() else parts != UNUSED
    ratings = _kept(dataset.target if target is None else target, kept)
    parts = _kept(parts, kept)
    # what holds for users and movies, for their attributes too; the data set keeps these arrays, so that no other has their id
    met = {
        id(coded.rows): _met(coded, kept, parts) for coded in map(dataset.coded, dataset.entities)
    }

    def number(name: str, out: np.ndarray | None = None) -> tuple[Feature, np.ndarray]:
        coded = dataset.coded(name)
        found = met[id(coded.rows)] if id(coded.rows) in met else _met(coded, kept, parts)
        return _seen_first(name, coded, _kept(coded.rows, kept), found, out)

    codes = np.empty(
        (len(parts), len(features)), np.int32, order="F"
    )  # a column is whole in memory: `user` and `item` are two
    done = {name: number(name, codes[:, column]) for column, name in enumerate(features)}
    (users, user), (items, item) = (done.get(name) or number(name) for name in dataset.entities)
    return Encoded(
        features=tuple(with_bags(done[name][0], separators or {}) for name in features),
        codes=codes,
        ratings=ratings,
        parts=parts,
        user=user,
        item=item,
        user_seen=user < users.n_seen,
        item_seen=item < items.n_seen,
    )


class _Met(NamedTuple):
    """Of every number in `Coded.rows`. first: its first row, plus N where training has it not; 2 N where no row has it.
    trained: how many training rows have it. int64 [K] both."""

    first: np.ndarray
    trained: np.ndarray


def _met(coded: Coded, kept: np.ndarray | None, parts: np.ndarray) -> _Met:
    rows, n, size = _kept(coded.rows, kept), len(parts), len(coded.of)
    first, trained = np.full(size, 2 * n, np.int64), np.zeros(size, np.int64)
    for chosen, before in ((parts != TRAIN, n), (parts == TRAIN, 0)):
        for part in reversed(list(chunks(n, least=size))):
            # of several assignments to one place numpy keeps the last: written backwards, the first appearance stays
            places = np.flatnonzero(chosen[part])[::-1]
            numbers = rows[part][places]
            first[numbers] = places + (part.start + before)
            if not before:
                trained += np.bincount(numbers, minlength=size)
    return _Met(first, trained)


def _kept(column: np.ndarray, kept: np.ndarray | None) -> np.ndarray:
    return column if kept is None else column[kept]


def _seen_first(
    name: str, coded: Coded, rows: np.ndarray, met: _Met, out: np.ndarray | None
) -> tuple[Feature, np.ndarray]:
    """Renumber by first appearance, training first; codes go into `out` where it is given. Values in no kept row are dropped."""
    absent, size = 2 * len(rows), len(coded.values)
    first = np.full(size, absent, np.int64)
    np.minimum.at(first, coded.of, met.first)
    count = np.zeros(size, np.int64)
    np.add.at(count, coded.of, met.trained)
    by_appearance = np.argsort(first, kind="stable")[: int((first < absent).sum())]
    new = np.empty(size, np.int32)
    new[by_appearance] = np.arange(len(by_appearance))
    n_seen = int((first < len(rows)).sum())
    values = cast(Sequence[str], coded.values.gather(by_appearance).alias(name))
    return Feature(name, values, n_seen, count[by_appearance[:n_seen]].tolist()), take(
        new[coded.of], rows, out
    )

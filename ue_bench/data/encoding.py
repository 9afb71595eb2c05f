"""From raw values to integer codes: a value that training has seen has a code below `n_seen`."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple, cast

import numpy as np

from ue_bench.config.entities import CARDINALITY
from ue_bench.data.coded import ABSENT, Coded, chunks, spread, take
from ue_bench.data.dataset import Dataset
from ue_bench.data.multi_valued_features import with_bags
from ue_bench.data.splitting import TRAIN, UNUSED
from ue_bench.errors import BenchError
from ue_bench.features import Counts, Feature


@dataclass(frozen=True, eq=False)
class Encoded:
    """The rows of a split that are used (N' of them) as numbers.

    The rows are in file order, or those of each part together (see `by_part`).

    features: F features. `values` is a polars Series of String: the values seen in training in
    order of first appearance there, then the others in order of first appearance. A Series takes
    Python integers as index, not numpy's.
    codes: int32 [N', F], positions in these values, or numbers of bags of them.
    ratings: the target, float32 [N'].
    parts: uint8 [N'], 0 train, 1 validation, 2 test.
    parts_in_file: the same parts by row in file order.
    user, item: int32 [N'], the two entities of the row (`Dataset.entities`), numbered in the same
    way whichever features are used; columns of `codes` where the entities are features.
    entities: these two as features, in whose values `user` and `item` are positions.
    user_names: the value of each user by its number; None where the user is only a guess.
    best: the best possible prediction of each row, float32 [N']; None where it is not known.
    order: the rows in the order of time, int64 [N'], of a stream; None otherwise.
    """

    features: tuple[Feature, ...]
    codes: np.ndarray
    ratings: np.ndarray
    parts: np.ndarray
    parts_in_file: np.ndarray
    user: np.ndarray
    item: np.ndarray
    entities: tuple[Feature, Feature]
    user_names: Sequence[str] | None
    best: np.ndarray | None = None
    order: np.ndarray | None = None

    @property
    def user_seen(self) -> np.ndarray:
        """Whether the user of each row occurs in training: bool [N']."""
        return self.user < self.entities[0].n_seen

    @property
    def item_seen(self) -> np.ndarray:
        """Whether the item of each row occurs in training: bool [N']."""
        return self.item < self.entities[1].n_seen


def encode(
    dataset: Dataset,
    features: tuple[str, ...],
    parts: np.ndarray,
    target: np.ndarray | None = None,
    separators: Mapping[str, str] | None = None,
) -> Encoded:
    """Encode the rows whose part is not 3.

    features: names from `Dataset.feature_names`. parts: uint8 [N] from `split`.
    target: float32 [N]; None: the data set's. separators: of multi-valued features, as in
    `with_bags`.
    Raises BenchError without features, for a feature that the data set lacks, and for parts of
    another number of rows.
    """
    if not features:
        raise BenchError("features: none given; a row needs at least one")
    if parts.shape != (dataset.n_rows,):
        raise BenchError(
            f"parts has shape {parts.shape}, but {dataset.name} has {dataset.n_rows} {dataset.unit}"
        )
    if target is None:
        target = dataset.target
    rows = _UsedRows(dataset, parts)
    codes = np.empty((len(rows.parts), len(features)), np.int32, order="F")
    encoded = {}
    for index, name in enumerate(features):
        encoded[name] = rows.encode(name, codes[:, index])
    for name in dataset.entities:
        if name not in encoded:
            encoded[name] = rows.encode(name)
    user_feature, user = encoded[dataset.entities[0]]
    item_feature, item = encoded[dataset.entities[1]]
    is_guess = dataset.entities_chosen[0] == CARDINALITY
    return Encoded(
        features=tuple(with_bags(encoded[name][0], separators or {}) for name in features),
        codes=codes,
        ratings=rows.used(target),
        parts=rows.parts,
        parts_in_file=rows.parts,
        user=user,
        item=item,
        entities=(user_feature, item_feature),
        user_names=None if is_guess else user_feature.values,
        best=None if dataset.best is None else rows.used(dataset.best),
    )


def by_part(encoded: Encoded, times: np.ndarray | None = None) -> Encoded:
    """Return the rows with those of each part together: training, validation, test.

    Rows of one part stay in file order. A row of codes is contiguous in memory, so that a part is a
    slice, and a batch gathers rows.

    times: int64 [N'], for a stream: the rows are then in the order of time by `order`.
    """
    rows = np.argsort(encoded.parts, kind="stable")
    codes = np.empty((len(rows), len(encoded.features)), np.int32)
    for column in range(len(encoded.features)):
        take(encoded.codes[:, column], rows, codes[:, column])
    order = None if times is None else np.argsort(times[rows], kind="stable")
    return replace(
        encoded,
        codes=codes,
        ratings=encoded.ratings[rows],
        parts=encoded.parts[rows],
        user=_entity(encoded, 0, codes, rows),
        item=_entity(encoded, 1, codes, rows),
        best=None if encoded.best is None else encoded.best[rows],
        order=order,
    )


def _entity(encoded: Encoded, entity: int, codes: np.ndarray, rows: np.ndarray) -> np.ndarray:
    """Return the user or the item of rows: a column of their codes where it is a feature."""
    name = encoded.entities[entity].name
    names = [feature.name for feature in encoded.features]
    if name in names:
        return codes[:, names.index(name)]
    return (encoded.user, encoded.item)[entity][rows]


class _UsedRows:
    """The rows of a data set whose part is not 3, and where their users and items appear."""

    def __init__(self, dataset: Dataset, parts: np.ndarray) -> None:
        self.dataset = dataset
        self._kept = None if (parts != UNUSED).all() else parts != UNUSED
        self.parts = self.used(parts)
        # The appearances of users and items hold for their attributes too, which share the array
        # of owners. The data set keeps these arrays, so that no other array has their id.
        self._appearances: dict[int, _Appearances] = {}
        for name in dataset.entities:
            coded = dataset.coded(name)
            self._appearances[id(coded.owners)] = self._appearances_of(coded)

    def used(self, column: np.ndarray) -> np.ndarray:
        """Return the entries of a column [N] in the rows that are used."""
        return column if self._kept is None else column[self._kept]

    def encode(self, name: str, out: np.ndarray | None = None) -> tuple[Feature, np.ndarray]:
        """Return a feature and its codes in the rows, which go into `out` where it is given."""
        coded = self.dataset.coded(name)
        appearances = self._appearances.get(id(coded.owners))
        if appearances is None:
            appearances = self._appearances_of(coded)
        feature, new_codes = _seen_first(name, coded, appearances, len(self.parts))
        owner_codes = spread(new_codes, coded.owner_codes)
        return feature, take(owner_codes, self.used(coded.owners), out)

    def _appearances_of(self, coded: Coded) -> "_Appearances":
        return _find_appearances(self.used(coded.owners), len(coded.owner_codes), self.parts)


class _Appearances(NamedTuple):
    """Where each of K owners appears in N' rows.

    first: the first row that has it; plus N' for an owner that training has not seen; 2 N' for one
    that no row has. trained: number of training rows that have it. Both int64 [K].
    """

    first: np.ndarray
    trained: np.ndarray


def _find_appearances(owners: np.ndarray, n_owners: int, parts: np.ndarray) -> _Appearances:
    n_rows = len(parts)
    first = np.full(n_owners, 2 * n_rows, np.int64)
    trained = np.zeros(n_owners, np.int64)
    for rows, row_owners in _backwards(owners, parts != TRAIN, n_owners):
        first[row_owners] = rows + n_rows
    for rows, row_owners in _backwards(owners, parts == TRAIN, n_owners):
        first[row_owners] = rows
        trained += np.bincount(row_owners, minlength=n_owners)
    return _Appearances(first, trained)


def _backwards(
    owners: np.ndarray, chosen: np.ndarray, least: int
) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Yield the chosen rows and their owners, the last rows first.

    Of several assignments to one place numpy keeps the last, so that the first appearance stays.
    """
    for part in reversed(list(chunks(len(owners), least=least))):
        rows = np.flatnonzero(chosen[part])[::-1]
        yield rows + part.start, owners[part][rows]


def _seen_first(
    name: str, coded: Coded, appearances: _Appearances, n_rows: int
) -> tuple[Feature, np.ndarray]:
    """Renumber values by first appearance, those of training first; drop those in no used row.

    Returns the feature, and the new code of each of `coded.values`: int32.
    """
    n_values = len(coded.values)
    nowhere = 2 * n_rows
    has_value = coded.owner_codes != ABSENT
    owner_codes = coded.owner_codes[has_value]
    first = np.full(n_values, nowhere, np.int64)
    np.minimum.at(first, owner_codes, appearances.first[has_value])
    trained = np.zeros(n_values, np.int64)
    np.add.at(trained, owner_codes, appearances.trained[has_value])

    n_used = int((first < nowhere).sum())
    n_seen = int((first < n_rows).sum())
    by_appearance = np.argsort(first, kind="stable")[:n_used]
    new_codes = np.zeros(n_values, np.int32)
    new_codes[by_appearance] = np.arange(n_used)
    values = cast(Sequence[str], coded.values.gather(by_appearance).alias(name))
    counts = Counts(trained[by_appearance[:n_seen]])
    return Feature(name, values, n_seen, counts), new_codes

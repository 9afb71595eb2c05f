"""A part of the rows of a data set, chosen so that a value that stays keeps its rows.

A uniform sample of rows would leave each value with fewer rows, and so be another problem: one of
rarer values. Here the values of one feature are sampled instead:

* a value stays with all of its rows if its hash is below the fraction;
* a value that is so frequent that the fraction of its rows is `MANY` or more stays, with that
  fraction of its rows. It is known as well by these, and the sample keeps its share of the rows.
  (Were such values sampled too, the size of the sample would be a matter of luck.)

The feature is the one of most values. Rows a value of the other features fall, the more so the less
these features follow from it.
"""

from collections.abc import Mapping, Sequence
from typing import Any, cast

import numpy as np
import polars as pl

from ue_bench.categories import Rule
from ue_bench.data.coded import ABSENT, Coded, take
from ue_bench.data.dataset import Dataset, without_times
from ue_bench.data.kept.coded_store import key_of
from ue_bench.data.kept.kept_contents import Contents
from ue_bench.data.kept.kept_dataset import KeptDataset, contents_of
from ue_bench.errors import BenchError
from ue_bench.features import parts
from ue_bench.hashing import hash_rows

MANY = 100  # rows
SEED = 7  # of the hash and of the draw: one for all runs, so that all arms share the rows
_HASHES = 2**31


def thinned(dataset: Dataset, features: str, fraction: float) -> Dataset:
    """Return a data set with about this fraction of the rows; for 1, the data set itself.

    features: that are used, as `Dataset.feature_names` reads them; the single one with most values
    is thinned. The rows are kept in the cache if those of the data set are, so that all of them are
    read once. Raises BenchError where no row is left, and for a part as `feature_names` does.
    """
    if fraction == 1:
        return dataset
    by = thinned_by(dataset, dataset.feature_names(features))
    if not isinstance(dataset, KeptDataset):
        return ThinnedDataset(dataset, fraction, by)
    kept = dataset

    def contents() -> Contents:
        return contents_of(ThinnedDataset(kept, fraction, by))

    key = key_of({"data": kept.key, "rows_fraction": fraction, "by": by})
    title = f"{kept.name}: a fraction of {fraction:g} of the rows"
    holder = kept.store.keep(key, title, contents)
    return KeptDataset(holder, kept.store, key, kept.name, kept.source, kept.refused)


def thinned_by(dataset: Dataset, names: Sequence[str]) -> str:
    """Return the feature of most values of these, of whose crosses the parts count."""
    singles = [part for name in names for part in parts(name)]
    return max(singles, key=lambda name: len(dataset.single(name).values))


def rows_that_stay(column: Coded, fraction: float) -> np.ndarray:
    """Return the numbers of the rows that stay, in order: int64 [n].

    column: the feature whose values are thinned, N rows.
    """
    counts_of_owner = np.bincount(column.owners, minlength=len(column.owner_codes))
    used = column.owner_codes != ABSENT
    counts = np.zeros(len(column.values), np.int64)
    np.add.at(counts, column.owner_codes[used], counts_of_owner[used])
    is_frequent = fraction * counts >= MANY
    hashes = hash_rows(column.values, [SEED], _HASHES).numpy()[:, 0]
    stays = (hashes < fraction * _HASHES) & ~is_frequent
    # 0: no row of the value stays, 1: all of them, 2: a part
    fate = stays.astype(np.uint8)
    fate[is_frequent] = 2
    fate_of_owner = np.zeros(len(column.owner_codes), np.uint8)
    fate_of_owner[used] = fate[column.owner_codes[used]]
    of_row = take(fate_of_owner, column.owners)
    of_frequent = np.flatnonzero(of_row == 2)
    draws = np.random.Generator(np.random.PCG64(SEED)).random(len(of_frequent))
    of_row[of_frequent[draws >= fraction]] = 0
    return np.flatnonzero(of_row)


class ThinnedDataset(Dataset):
    """Some rows of a data set, in their order.

    Its checksums are those of the whole: they are about the files. `facts` has what was left out.
    Raises BenchError where no row is left.
    """

    def __init__(self, whole: Dataset, fraction: float, by: str) -> None:
        self.whole = whole
        self.fraction = fraction
        self.by = by
        self.name = whole.name
        self.source = whole.source
        self.checksum = whole.checksum
        self.refused = whole.refused
        self.rows = rows_that_stay(whole.single(by), fraction)
        if not len(self.rows):
            raise BenchError(
                f"rows_fraction: {fraction:g} was given, which leaves none of the "
                f"{whole.n_rows:,} {whole.unit} of {whole.name}; give more"
            )
        self._target = self._of(whole.target)
        self._coded: dict[str, Coded] = {}
        # What shares an array of owners in the whole does so here. The whole keeps its arrays.
        self._owners: dict[int, tuple[np.ndarray, np.ndarray]] = {}

    def _of(self, array: np.ndarray) -> np.ndarray:
        """Return the entries of these rows, which nobody can write into."""
        chosen = take(array, self.rows)
        chosen.flags.writeable = False
        return chosen

    def _optional(self, array: np.ndarray | None) -> np.ndarray | None:
        return None if array is None else self._of(array)

    @property
    def features(self) -> tuple[str, ...]:
        return self.whole.features

    @property
    def base(self) -> tuple[str, ...]:
        return self.whole.base

    @property
    def wide(self) -> tuple[str, ...]:
        return self.whole.wide

    @property
    def entities(self) -> tuple[str, str]:
        return self.whole.entities

    @property
    def entities_chosen(self) -> tuple[str, str]:
        return self.whole.entities_chosen

    @property
    def separators(self) -> Mapping[str, str]:
        return self.whole.separators

    @property
    def rules(self) -> Mapping[str, Rule]:
        return self.whole.rules

    @property
    def rows_checksum(self) -> str | None:
        return self.whole.rows_checksum

    @property
    def facts(self) -> Mapping[str, Any]:
        rows = {"by": self.by, "rows": self.n_rows, "of": self.whole.n_rows}
        return {**self.whole.facts, "thinned": rows}

    def feature_warning(self, feature: str, has_several_values: bool) -> str | None:
        return self.whole.feature_warning(feature, has_several_values)

    @property
    def time_warning(self) -> str | None:
        return self.whole.time_warning

    @property
    def time_column(self) -> str | None:
        return self.whole.time_column

    @property
    def rows_without_time(self) -> int:
        return self.whole.rows_without_time

    @property
    def unit(self) -> str:
        return self.whole.unit

    @property
    def stars(self) -> bool:
        return self.whole.stars

    @property
    def target(self) -> np.ndarray:
        return self._target

    @property
    def times(self) -> np.ndarray | None:
        if self.rows_without_time:
            raise without_times(self)
        return self._optional(self.whole.times)

    @property
    def best(self) -> np.ndarray | None:
        return self._optional(self.whole.best)

    @property
    def is_test(self) -> np.ndarray | None:
        return self._optional(self.whole.is_test)

    def single(self, feature: str) -> Coded:
        if feature not in self._coded:
            self._coded[feature] = self._coded_in_rows(self.whole.single(feature))
        return self._coded[feature]

    def _coded_in_rows(self, column: Coded) -> Coded:
        """Return a column in these rows, without the owners and values that none of them has."""
        if id(column.owners) not in self._owners:
            in_rows = np.unique(take(column.owners, self.rows), return_inverse=True)
            self._owners[id(column.owners)] = in_rows[0], in_rows[1].astype(np.int32)
        distinct, owners = self._owners[id(column.owners)]
        codes, owner_codes = np.unique(column.owner_codes[distinct], return_inverse=True)
        return Coded(
            owners=owners,
            owner_codes=owner_codes.astype(np.int32),
            values=cast(pl.Series, column.values.gather(pl.Series(codes))),
        )

    def describe(self) -> dict[str, Any]:
        cardinalities = {name: len(self.coded(name).values) for name in self.features}
        return {
            "name": self.name,
            "rows": self.n_rows,
            "features": cardinalities,
            "source": self.source,
            "checksum": self.checksum,
        }

    def summary(self, description: Mapping[str, Any]) -> str:
        n_values = sum(description["features"].values())
        return (
            f"{description['rows']:,} of {self.whole.n_rows:,} {self.unit}, thinned by {self.by}; "
            f"{n_values:,} values"
        )

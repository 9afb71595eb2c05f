"""A data set whose rows were coded before, and are read from what was kept of them."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import polars as pl

from ue_bench.categories import Rule
from ue_bench.data.coded import Coded
from ue_bench.data.dataset import Dataset, without_times
from ue_bench.data.kept.coded_store import Store
from ue_bench.data.kept.kept_contents import Contents, Holder

_OF_ROWS = ("target", "times", "best", "is_test")  # arrays that a data set may have


class KeptDataset(Dataset):
    """A data set that was kept.

    name, source, refused: as whoever loads it calls it; what was kept does not depend on these.
    store, key: where its rows are kept, and under which name; what follows from them is kept there,
    too.
    """

    def __init__(
        self,
        holder: Holder,
        store: Store,
        key: str,
        name: str,
        source: str,
        refused: Mapping[str, str],
    ) -> None:
        self.holder = holder
        self.store = store
        self.key = key
        self.name = name
        self.source = source
        self.refused = refused
        self.checksum = holder.meta["checksum"]
        self._coded: dict[str, Coded] = {}
        self._arrays: dict[str, np.ndarray] = {}

    @property
    def features(self) -> tuple[str, ...]:
        return tuple(self.holder.meta["features"])

    @property
    def base(self) -> tuple[str, ...]:
        return tuple(self.holder.meta["base"])

    @property
    def wide(self) -> tuple[str, ...]:
        return tuple(self.holder.meta["wide"])

    @property
    def entities(self) -> tuple[str, str]:
        user, item = self.holder.meta["entities"]
        return user, item

    @property
    def entities_chosen(self) -> tuple[str, str]:
        of_user, of_item = self.holder.meta["entities_chosen"]
        return of_user, of_item

    @property
    def separators(self) -> Mapping[str, str]:
        separators: dict[str, str] = self.holder.meta["separators"]
        return separators

    @property
    def rules(self) -> Mapping[str, Rule]:
        given = self.holder.meta["rules"]
        return {name: Rule(kind, tuple(absent)) for name, (kind, absent) in given.items()}

    @property
    def rows_checksum(self) -> str | None:
        checksum: str | None = self.holder.meta["rows_checksum"]
        return checksum

    @property
    def facts(self) -> Mapping[str, Any]:
        return dict(self.holder.meta["facts"])

    @property
    def unit(self) -> str:
        return str(self.holder.meta["unit"])

    @property
    def stars(self) -> bool:
        return bool(self.holder.meta["stars"])

    @property
    def n_rows(self) -> int:
        return int(self.holder.meta["n_rows"])

    @property
    def target(self) -> np.ndarray:
        return self._array("target")

    @property
    def time_column(self) -> str | None:
        name: str | None = self.holder.meta["time_column"]
        return name

    @property
    def rows_without_time(self) -> int:
        return int(self.holder.meta["rows_without_time"])

    @property
    def times(self) -> np.ndarray | None:
        if self.rows_without_time:
            raise without_times(self)
        return self._optional("times")

    @property
    def best(self) -> np.ndarray | None:
        return self._optional("best")

    @property
    def is_test(self) -> np.ndarray | None:
        return self._optional("is_test")

    def single(self, feature: str) -> Coded:
        if feature not in self._coded:
            number = self.features.index(feature)
            owner = self.holder.meta["owners"][number]
            self._coded[feature] = Coded(
                owners=self._array(f"owners {owner}"),
                owner_codes=self._array(f"codes {number}"),
                values=self.holder.texts(f"values {number}"),
            )
        return self._coded[feature]

    def feature_warning(self, feature: str, has_several_values: bool) -> str | None:
        warnings: list[str | None] = self.holder.meta["feature_warnings"][feature]
        return warnings[has_several_values]

    @property
    def time_warning(self) -> str | None:
        warning: str | None = self.holder.meta["time_warning"]
        return warning

    def describe(self) -> dict[str, Any]:
        described = self.holder.meta["described"]
        features = dict(described["features"])  # which a caller may change
        return {**described, "features": features, "name": self.name, "source": self.source}

    def summary(self, description: Mapping[str, Any]) -> str:
        return str(self.holder.meta["summary"])

    def remark(self, feature: str) -> str:
        return str(self.holder.meta["remarks"][feature])

    def _optional(self, name: str) -> np.ndarray | None:
        return self._array(name) if name in self.holder.meta["arrays"] else None

    def _array(self, name: str) -> np.ndarray:
        """Return an array, always the very same one, that nobody can write into."""
        if name not in self._arrays:
            array = self.holder.array(name)
            array.flags.writeable = False
            self._arrays[name] = array
        return self._arrays[name]


def contents_of(dataset: Dataset) -> Contents:
    """Return what is to be kept of a data set. It depends on neither its name nor its folder."""
    described = dataset.describe()
    summary = dataset.summary(described)
    contents = Contents(
        meta={
            "checksum": dataset.checksum,
            "n_rows": dataset.n_rows,
            "features": dataset.features,
            "base": dataset.base,
            "wide": dataset.wide,
            "entities": dataset.entities,
            "entities_chosen": dataset.entities_chosen,
            "separators": dict(dataset.separators),
            "rules": {name: [rule.kind, rule.absent] for name, rule in dataset.rules.items()},
            "rows_checksum": dataset.rows_checksum,
            "facts": dict(dataset.facts),
            "unit": dataset.unit,
            "stars": dataset.stars,
            "time_column": dataset.time_column,
            "rows_without_time": dataset.rows_without_time,
            "time_warning": dataset.time_warning,
            "feature_warnings": _feature_warnings(dataset),
            "described": described,
            "summary": summary,
            "remarks": {name: dataset.remark(name) for name in dataset.features},
        }
    )
    for name in _OF_ROWS:
        array = None if name == "times" and dataset.rows_without_time else getattr(dataset, name)
        if array is not None:
            contents.arrays[name] = array
    contents.meta["arrays"] = list(contents.arrays)
    _add_features(contents, dataset)
    return contents


def _feature_warnings(dataset: Dataset) -> dict[str, list[str | None]]:
    """Return the warning of each feature: of one value a row, and of several."""
    warnings = {}
    for name in dataset.features:
        warnings[name] = [dataset.feature_warning(name, several) for several in (False, True)]
    return warnings


def _add_features(contents: Contents, dataset: Dataset) -> None:
    """Add all features. What shares an array of owners shares what is kept of it."""
    numbers: dict[int, int] = {}
    owners = []
    for number, name in enumerate(dataset.features):
        coded = dataset.single(name)
        owner = numbers.setdefault(id(coded.owners), number)
        owners.append(owner)
        contents.arrays[f"owners {owner}"] = coded.owners
        contents.arrays[f"codes {number}"] = coded.owner_codes
        contents.columns[f"values {number}"] = _plain(coded.values)
    contents.meta["owners"] = owners


def _plain(values: pl.Series) -> pl.Series:
    return values.cast(pl.String)

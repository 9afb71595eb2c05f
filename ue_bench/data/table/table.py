"""Any table as a data set: rows read some at a time, every column numbered as it comes."""

from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import polars as pl

from ue_bench.data.coded import ABSENT, Coded, number_text
from ue_bench.data.dataset import Dataset
from ue_bench.data.table.definition import Definition, crosses_of, entities_of
from ue_bench.data.table.tabular import TableFiles
from ue_bench.data.table.targets import MISSING, targets_of, times_of, told_of
from ue_bench.data.table.texts import BUCKET, MEMBERS, keys, texts_of
from ue_bench.errors import BenchError


class TableDataset(Dataset):
    """The rows of a table that have a target.

    missing: of each feature, how many rows have no value. bucketised: the features whose values are rounded (`texts`).
    left_out: rows without a target. Raises BenchError for a target that is no finite number, and where no row is left.
    """

    def __init__(
        self, name: str, definition: Definition, files: TableFiles, source: str = "file"
    ) -> None:
        self.name, self.definition, self.source = name, definition, source
        with ThreadPoolExecutor(1) as beside:
            checksum = beside.submit(lambda: files.checksum)  # hashing leaves the interpreter free
            self._read(definition, files)
        self.checksum = checksum.result()
        if definition.checksum not in (None, self.checksum):
            raise BenchError(
                f"{name}: its content is {self.checksum}, but {definition.checksum} was asked for; it has changed since"
            )
        self.cardinalities = {
            feature: len(self._coded[feature].values) for feature in self.features
        }

    @property
    def features(self) -> tuple[str, ...]:
        return self.definition.features

    @property
    def base(self) -> tuple[str, ...]:
        return self.definition.features

    @property
    def wide(self) -> tuple[str, ...]:
        asked = self.definition.wide
        return (
            *self.features,
            *(crosses_of(self.cardinalities, self.entities) if asked is None else asked),
        )

    @property
    def entities(self) -> tuple[str, str]:
        return self.definition.entities or entities_of(
            self.cardinalities, {*self.bucketised, *self._separators}
        )

    @property
    def separators(self) -> Mapping[str, str]:
        return self._separators

    @property
    def kinds(self) -> Mapping[str, str]:
        return self._kinds

    @property
    def absent(self) -> tuple[str, ...]:
        return (*MISSING, *self.definition.missing)

    @property
    def facts(self) -> Mapping[str, Any]:
        return {
            "left_out": self.left_out,
            "bucketised": list(self.bucketised),
            "entities": list(self.entities),
        }

    @property
    def target(self) -> np.ndarray:
        return self._target

    @property
    def times(self) -> np.ndarray | None:
        if self._times is not None and (missing := self._times.null_count()):
            raise BenchError(
                f"{self.name}: {missing:,} rows have no {self.definition.time}, which a temporal split needs; "
                "choose the random split, or leave these rows out"
            )
        return None if self._times is None else self._times.to_numpy()

    def single(self, feature: str) -> Coded:
        return self._coded[feature]

    def describe(self) -> dict[str, Any]:
        """missing: of the features that have such rows. time_span: as integers order the rows."""
        target = self._target.astype(np.float64)
        times = self._times
        return {
            "name": self.name,
            "rows": self.n_rows,
            "left_out": self.left_out,
            "target": {
                "name": self.definition.target,
                "mean": float(target.mean()),
                "min": float(target.min()),
                "max": float(target.max()),
            },
            "time": self.definition.time,
            "rows_without_time": None if times is None else times.null_count(),
            "features": self.cardinalities,
            "missing": {name: n for name, n in self.missing.items() if n},
            "bucketised": list(self.bucketised),
            "several_values": sorted(self.separators),
            "entities": list(self.entities),
            "wide": list(self.wide[len(self.base) :]),
            "source": self.source,
            "checksum": self.checksum,
        }

    def headline(self, found: Mapping[str, Any]) -> str:
        target = found["target"]
        left_out = f", {found['left_out']:,} without a target left out" if found["left_out"] else ""
        user, item = found["entities"]
        return (
            f"{found['name']}: {found['rows']:,} rows{left_out}; target {target['name']} from {target['min']:g} to "
            f"{target['max']:g}, mean {target['mean']:.4g}; user: {user}, item: {item}"
        )

    def remark(self, feature: str) -> str:
        missing = f", {self.missing[feature]:,} rows without one" if self.missing[feature] else ""
        rounded = ", rounded to two digits" if feature in self.bucketised else ""
        return missing + rounded + (", lists" if feature in self.separators else "")

    def _read(self, definition: Definition, files: TableFiles) -> None:
        is_csv, absent = not files.form.parquet, self.absent
        columns = {name: _Column() for name in self.features}
        targets: list[np.ndarray] = []
        times: list[pl.Series] = []
        self.left_out = 0
        self._separators: dict[str, str] = {}
        for path, before, frame in files.batches(definition.columns):
            with told_of(path, before):
                target = targets_of(frame[definition.target], absent)
                kept = target.is_not_null()
            targets.append(target.filter(kept).to_numpy())
            self.left_out += target.null_count()
            if definition.time is not None:
                with told_of(path, before):
                    times.append(times_of(frame[definition.time], absent).filter(kept))
            for name, column in columns.items():
                if isinstance(frame[name].dtype, (pl.List, pl.Array)):
                    self._separators[name] = MEMBERS
                with told_of(path, before):
                    column.add(keys(frame[name].filter(kept), is_csv, absent))
        self._target = np.concatenate([*targets, np.empty(0, np.float32)])
        if not len(self._target):
            rows = (
                f"none of its {self.left_out:,} rows has a value of {definition.target}"
                if self.left_out
                else "it has no rows"
            )
            raise BenchError(f"{self.name}: {rows}; give a table with rows")
        self._target.flags.writeable = False
        self._times = pl.concat(times) if times else None
        self.missing = {name: column.missing for name, column in columns.items()}
        self._coded, self._kinds = {}, {}
        for name in self.features:
            with told_of(files.paths[0], 0):
                self._coded[name], self._kinds[name] = columns.pop(name).coded(
                    name in definition.numeric, is_csv
                )
        self.bucketised = tuple(name for name, kind in self._kinds.items() if kind == BUCKET)


class _Column:
    """The keys of a feature as they come, numbered from 1 on; 0 is a missing value."""

    def __init__(self) -> None:
        self.missing = 0
        self._known: pl.DataFrame | None = None
        self._codes: list[np.ndarray] = []

    def add(self, values: pl.Series) -> None:
        values = values.alias("value")
        self.missing += values.null_count()
        known = (
            pl.DataFrame(schema={"value": values.dtype, "code": pl.Int32})
            if self._known is None
            else self._known
        )
        fresh = values.drop_nulls().unique().to_frame().join(known, on="value", how="anti")
        numbered = fresh.with_columns(
            code=pl.int_range(len(known) + 1, len(known) + 1 + len(fresh), dtype=pl.Int32)
        )
        self._known = known = pl.concat([known, numbered], rechunk=True)
        codes = (
            values.to_frame()
            .join(known, on="value", how="left", maintain_order="left")["code"]
            .fill_null(0)
        )
        self._codes.append(codes.to_numpy())

    def coded(self, numeric: bool, is_csv: bool) -> tuple[Coded, str]:
        """The column with its texts, and of which kind they are. To be called once: what was kept is let go."""
        assert self._known is not None  # nosec B101 # for the type checker: a table has rows
        rows, known, self._codes, self._known = (
            np.concatenate(self._codes),
            self._known["value"],
            [],
            None,
        )
        texts, kind = texts_of(known, numeric, is_csv)
        of, values = number_text(
            pl.concat([pl.Series([""] if self.missing else [], dtype=pl.String), texts.alias("")])
        )
        return Coded(rows, of if self.missing else np.append(np.int32(ABSENT), of), values), kind

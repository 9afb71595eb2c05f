"""Any table as a data set."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import polars as pl

from ue_bench.categories import Rule
from ue_bench.data.checksums import checksum_beside
from ue_bench.data.coded import Coded
from ue_bench.data.dataset import Dataset, without_times
from ue_bench.data.multi_valued_features import n_values
from ue_bench.data.table.column_warnings import feature_warning, time_warning
from ue_bench.data.table.definition import Definition, crosses_of
from ue_bench.data.table.entity_names import choose_entities
from ue_bench.data.table.growing_column import GrowingColumn
from ue_bench.data.table.table_files import TableFiles
from ue_bench.data.table.targets import MISSING, TargetReader, naming_place, times_of
from ue_bench.data.table.texts import MEMBERS, keys
from ue_bench.errors import BenchError


class TableDataset(Dataset):
    """The rows of a table that have a target.

    missing: how many rows have no value, by feature.
    cardinalities: the number of distinct values by feature; of lists, the number of single values.
    bucketised: the features whose values are rounded (see `texts`).
    left_out: number of rows without a target.
    Raises BenchError for a target that is no finite number, for a table without rows, and for
    content of another checksum than the definition's.
    """

    def __init__(
        self,
        name: str,
        definition: Definition,
        files: TableFiles,
        source: str = "file",
        refused: Mapping[str, str] | None = None,
    ) -> None:
        self.name = name
        self.refused = refused or {}
        self.definition = definition
        self.source = source
        self._is_test: np.ndarray | None = None
        with checksum_beside(files) as checksum:
            self._read(files)
        self.checksum = checksum.result()
        definition.require_content(name, self.checksum)
        self.cardinalities = {
            feature: n_values(coded.values, self._separators.get(feature))
            for feature, coded in self._coded.items()
        }
        self._chosen = choose_entities(
            definition.entities,
            self.cardinalities,
            no_ids={*self.bucketised, *self._separators},
            row_ids={name for name in self.features if self._is_row_id(name)},
        )

    @property
    def features(self) -> tuple[str, ...]:
        return self.definition.features

    @property
    def base(self) -> tuple[str, ...]:
        return self.definition.features

    @property
    def wide(self) -> tuple[str, ...]:
        crosses = self.definition.wide
        if crosses is None:
            crosses = crosses_of(self.cardinalities, self.entities)
        return self.features + crosses

    @property
    def entities(self) -> tuple[str, str]:
        return self._chosen.features

    @property
    def entities_chosen(self) -> tuple[str, str]:
        return self._chosen.chosen

    @property
    def separators(self) -> Mapping[str, str]:
        return self._separators

    @property
    def rules(self) -> Mapping[str, Rule]:
        return self._rules

    @property
    def facts(self) -> Mapping[str, Any]:
        facts = {
            **super().facts,
            "left_out": self.left_out,
            "bucketised": list(self.bucketised),
        }
        if self.n_test is not None:
            facts["test_rows"] = self.n_test
        return facts

    @property
    def target(self) -> np.ndarray:
        return self._target

    @property
    def is_test(self) -> np.ndarray | None:
        return self._is_test

    @property
    def n_test(self) -> int | None:
        """Number of rows of the test files; None without such files."""
        return None if self._is_test is None else int(self._is_test.sum())

    @property
    def times(self) -> np.ndarray | None:
        if self._times is None:
            return None
        if self.rows_without_time:
            raise without_times(self)
        return self._times.to_numpy()

    @property
    def time_column(self) -> str | None:
        return self.definition.time

    @property
    def rows_without_time(self) -> int:
        return 0 if self._times is None else self._times.null_count()

    def single(self, feature: str) -> Coded:
        return self._coded[feature]

    def feature_warning(self, feature: str, has_several_values: bool) -> str | None:
        is_row_id = not has_several_values and self._is_row_id(feature)
        return feature_warning(feature, self._coded[feature].values, self.n_rows, is_row_id)

    @property
    def time_warning(self) -> str | None:
        return time_warning(self.definition.time, self._times)

    def _is_row_id(self, feature: str) -> bool:
        """Return whether no value of the feature occurs twice, as with the numbers of rows."""
        if feature in self.bucketised or feature in self._separators:
            return False
        n_present = self.n_rows - self.missing[feature]
        n_distinct = len(self._coded[feature].values)
        if self.missing[feature]:
            n_distinct -= 1
        return n_present > 1 and n_distinct == n_present

    def describe(self) -> dict[str, Any]:
        """Return counts and ranges.

        `missing` has the features that lack some values, `lists` the number of distinct lists.
        """
        target = self._target.astype(np.float64)
        return {
            "name": self.name,
            "rows": self.n_rows,
            "left_out": self.left_out,
            "test_rows": self.n_test,
            "target": {
                "name": self.definition.target,
                "positive": self.definition.positive,
                "mean": float(target.mean()),
                "min": float(target.min()),
                "max": float(target.max()),
            },
            "time": self.definition.time,
            "rows_without_time": None if self._times is None else self._times.null_count(),
            "features": self.cardinalities,
            "missing": {name: n for name, n in self.missing.items() if n},
            "bucketised": list(self.bucketised),
            "several_values": sorted(self.separators),
            "lists": {name: len(self._coded[name].values) for name in sorted(self.separators)},
            "entities": list(self.entities),
            "entities_chosen": list(self.entities_chosen),
            "wide": list(self.wide[len(self.base) :]),
            "source": self.source,
            "checksum": self.checksum,
        }

    def summary(self, description: Mapping[str, Any]) -> str:
        target = description["target"]
        rows = f"{description['rows']:,} rows"
        if description["test_rows"] is not None:
            rows += f", {description['test_rows']:,} of them in test files"
        if description["left_out"]:
            rows += f", {description['left_out']:,} without a target left out"
        name = target["name"]
        if target["positive"] is not None:
            name += f" (1 is {target['positive']!r})"
        return (
            f"{rows}; target {name} from {target['min']:g} to "
            f"{target['max']:g}, mean {target['mean']:.4g}"
        )

    def remark(self, feature: str) -> str:
        remark = ""
        if self.missing[feature]:
            remark += f", {self.missing[feature]:,} rows without one"
        if feature in self.bucketised:
            remark += ", rounded to two digits"
        if feature in self.separators:
            remark += f", in {len(self._coded[feature].values):,} distinct lists"
        return remark

    def _read(self, files: TableFiles) -> None:
        """Read all rows, some at a time, and number every column as it comes."""
        is_csv = files.form.is_text
        absent = (*MISSING, *self.definition.missing)
        time = self.definition.time
        columns = {name: GrowingColumn(name) for name in self.features}
        target_reader = TargetReader(absent, self.definition.positive)
        targets = [np.empty(0, np.float32)]
        is_test = [np.empty(0, bool)]
        times: list[pl.Series] = []
        self.left_out = 0
        self._separators: dict[str, str] = {}
        for path, before, frame in files.batches(self.definition.columns):
            with naming_place(path, before):
                target = target_reader.read(frame[self.definition.target])
                kept = target.is_not_null()
                targets.append(target.filter(kept).to_numpy())
                is_test.append(np.full(len(targets[-1]), files.is_test(path)))
                self.left_out += target.null_count()
                if time is not None:
                    times.append(times_of(frame[time], absent).filter(kept))
                for name, column in columns.items():
                    values = frame[name].filter(kept)
                    if isinstance(values.dtype, (pl.List, pl.Array)):
                        self._separators[name] = MEMBERS
                    column.add(keys(values, is_csv, absent))
        target_reader.require_positive(self.definition.target)
        self._target = np.concatenate(targets)
        self._target.flags.writeable = False
        self._require_rows()
        if self.definition.test_files is not None:
            self._is_test = np.concatenate(is_test)
            self._require_test_rows(self._is_test)
        self._times = pl.concat(times) if times else None
        self.missing = {name: column.missing for name, column in columns.items()}
        self._coded: dict[str, Coded] = {}
        self._rules: dict[str, Rule] = {}
        with naming_place(files.paths[0], 0):
            for name in self.features:
                is_numeric = name in self.definition.numeric
                column = columns.pop(name)  # so that its keys are freed
                self._coded[name], self._rules[name] = column.coded(is_numeric, is_csv, absent)
        self.bucketised = tuple(name for name, rule in self._rules.items() if rule.kind == "number")

    def _require_test_rows(self, is_test: np.ndarray) -> None:
        for part, noun in ((is_test, "test_files"), (~is_test, "files")):
            if not part.any():
                raise BenchError(
                    f"{self.name}: no row of its {noun} has a value of {self.definition.target}; "
                    "both the training rows and the test rows need the target"
                )

    def _require_rows(self) -> None:
        if len(self._target):
            return
        why = "it has no rows"
        if self.left_out:
            target = self.definition.target
            why = f"none of its {self.left_out:,} rows has a value of {target}"
        raise BenchError(f"{self.name}: {why}; give a table with rows")

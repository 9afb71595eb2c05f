"""A column of a table that arrives in batches and is numbered as it grows."""

from collections.abc import Sequence
from typing import cast

import numpy as np
import polars as pl

from ue_bench.categories import Rule, texts_of
from ue_bench.data.coded import ABSENT, Coded, look_up, number_text
from ue_bench.data.table.texts import rule_of

_MISSING_CODE = 0  # the codes of keys begin at 1


class GrowingColumn:
    """The keys of a feature.

    name: the feature's. missing: number of rows without a value.
    """

    def __init__(self, name: str) -> None:
        self.name = name
        self.missing = 0
        self._numbered: pl.DataFrame | None = None  # distinct keys and their codes
        self._codes: list[np.ndarray] = []

    def add(self, keys: pl.Series) -> None:
        """Append the keys of more rows, null where a value is missing."""
        keys = keys.alias("key")
        self.missing += keys.null_count()
        numbered = self._numbered
        if numbered is None:
            numbered = pl.DataFrame(schema={"key": keys.dtype, "code": pl.Int32})
        # in order of appearance: rows that are coded again have the same codes
        distinct = keys.drop_nulls().unique(maintain_order=True).to_frame()
        fresh = distinct.join(numbered, on="key", how="anti", maintain_order="left")
        first = len(numbered) + 1
        codes = pl.int_range(first, first + len(fresh), dtype=pl.Int32)
        fresh = fresh.with_columns(code=codes)
        numbered = pl.concat([numbered, fresh], rechunk=True)
        row_codes = look_up(keys, numbered).fill_null(_MISSING_CODE)
        self._codes.append(row_codes.to_numpy())
        self._numbered = numbered

    def coded(self, numeric: bool, is_csv: bool, absent: Sequence[str]) -> tuple[Coded, Rule]:
        """Return the column with its texts, and the rule by which they are made (see `rule_of`).

        Call it once, after at least one `add`: it frees the keys and the codes of the batches.
        """
        owners = np.concatenate(self._codes)
        distinct = cast(pl.DataFrame, self._numbered)["key"].alias(self.name)
        self._codes = []
        self._numbered = None
        rule = rule_of(distinct, numeric, is_csv, absent)
        texts = texts_of(distinct, rule)
        if self.missing:
            missing = pl.Series([""], dtype=pl.String)
            owner_codes, values = number_text(pl.concat([missing, texts.alias("")]))
        else:
            codes, values = number_text(texts)
            owner_codes = np.append(np.int32(ABSENT), codes)  # no row has the missing value
        return Coded(owners, owner_codes, values), rule

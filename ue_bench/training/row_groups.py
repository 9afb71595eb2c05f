"""The groups of scored rows whose errors a record keeps: users, or blocks of rows."""

import hashlib
from typing import NamedTuple

import numpy as np
import polars as pl

from ue_bench.data.encoding import Encoded
from ue_bench.record.schema import MOST_GROUPS
from ue_bench.training.split_parts import PARTS

BLOCKS = 200  # contiguous blocks of rows, where the data have no user
FEWEST_USERS = 50  # a resampling of fewer users than these says little


class RowGroups(NamedTuple):
    """The groups of the rows of one part of a split.

    by: `user` or `block`. n_groups: their number, of which some may have no
    row. numbers: the group of each row of the part, in their order. rows: 16 hex digits, equal for
    parts of splits of one data set that have the same rows.
    """

    by: str
    n_groups: int
    numbers: np.ndarray
    rows: str


def scored_part(encoded: Encoded) -> str:
    """Return the part that is scored: validation where the split has no test rows."""
    return "test" if (encoded.parts == PARTS["test"]).any() else "val"


def row_groups(encoded: Encoded, part: str) -> RowGroups:
    """Return the groups of the rows of a part, which do not depend on a seed.

    The group of a user is its place among the sorted names of all users of the rows that are used,
    modulo `MOST_GROUPS`. Where the data have no user, or fewer than `FEWEST_USERS`, the rows of the
    part are cut into `BLOCKS` contiguous blocks in file order.
    """
    in_part = encoded.parts == PARTS[part]
    names = encoded.user_names
    if names is not None and len(names) >= FEWEST_USERS:
        by = "user"
        count = min(len(names), MOST_GROUPS)
        places = np.empty(len(names), np.int64)
        places[pl.Series(names, dtype=pl.String).arg_sort().to_numpy()] = np.arange(len(names))
        numbers = places[encoded.user[in_part]] % count
    else:
        by = "block"
        n_rows = int(in_part.sum())
        count = min(n_rows, BLOCKS)
        numbers = np.arange(n_rows) * count // max(n_rows, 1)
    digest = hashlib.sha256(f"{len(in_part)} ".encode())
    digest.update(np.packbits(encoded.parts_in_file == PARTS[part]).data)
    return RowGroups(by=by, n_groups=count, numbers=numbers, rows=digest.hexdigest()[:16])


def sums(groups: RowGroups, errors: np.ndarray) -> np.ndarray:
    """Return the sum of the errors of each group: float64 [groups]. errors: one a row."""
    return np.bincount(groups.numbers, errors, groups.n_groups)

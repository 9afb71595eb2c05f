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
    """The groups of the scored rows of a split.

    of: the scored part. by: `user` or `block`. n_groups: their number, of which some may have no
    row. numbers: the group of each row of the part, in their order. rows: 16 hex digits, equal for
    splits of one data set that score the same rows.
    """

    of: str
    by: str
    n_groups: int
    numbers: np.ndarray
    rows: str


def scored_part(encoded: Encoded) -> str:
    """Return the part that is scored: validation where the split has no test rows."""
    return "test" if (encoded.parts == PARTS["test"]).any() else "val"


def row_groups(encoded: Encoded) -> RowGroups:
    """Return the groups of the scored rows, which do not depend on a seed.

    The group of a user is its place among the sorted names of all users of the rows that are used,
    modulo `MOST_GROUPS`. Where the data have no user, or fewer than `FEWEST_USERS`, the scored rows
    are cut into `BLOCKS` contiguous blocks in file order.
    """
    of = scored_part(encoded)
    is_scored = encoded.parts == PARTS[of]
    names = encoded.user_names
    if names is not None and len(names) >= FEWEST_USERS:
        by = "user"
        count = min(len(names), MOST_GROUPS)
        places = np.empty(len(names), np.int64)
        places[pl.Series(names, dtype=pl.String).arg_sort().to_numpy()] = np.arange(len(names))
        numbers = places[encoded.user[is_scored]] % count
    else:
        by = "block"
        n_rows = int(is_scored.sum())
        count = min(n_rows, BLOCKS)
        numbers = np.arange(n_rows) * count // max(n_rows, 1)
    digest = hashlib.sha256(f"{len(is_scored)} ".encode())
    digest.update(np.packbits(is_scored).data)
    return RowGroups(of, by, count, numbers, digest.hexdigest()[:16])


def sums(groups: RowGroups, errors: np.ndarray) -> np.ndarray:
    """Return the sum of the errors of each group: float64 [groups]. errors: one a scored row."""
    return np.bincount(groups.numbers, errors, groups.n_groups)

"""Errors by user, or by block of rows, in the few kilobytes that a record has for them.

A test set that is the same for all seeds is a sample of users too, whose noise no interval over
seeds has in it. A record therefore keeps, for each group of scored rows, their number and the sum
of their errors. Groups of one number are the same rows' owners in all records of the same data.

`quality.groups.<part>` holds `by` (`user` or `block`), `count` (groups), `rows` (16 hex digits that
follow from which rows are scored), and three packed texts: `n`, `mse`, and in the binary task
`log_loss`. `quality.anchors.<name>.groups` is the packed text of a predictor's MSE on the scored
part. The scored part is `test`, or `val` where the split has no test rows.

A packed text is base64 of zlib of little-endian whole numbers. Numbers of rows have 32 bits. Errors
have 16: each is the sum of a group as a share of the largest one, in steps of 1/65,535. All
together add up to the score beside them, so that a rounding changes no score. On 943 users it
moves a difference of two pooled MSE under a resampling of users by about 1e-6.
"""

import base64
import binascii
import zlib
from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np

from ue_bench.errors import BenchError
from ue_bench.record.record import Record

LEVELS = 65_535  # steps between 0 and the largest sum of a record
_COUNTS = np.dtype("<u4")
_SHARES = np.dtype("<u2")


class GroupErrors(NamedTuple):
    """The scored rows of a run by group.

    n: rows, int64 [groups]. sums: their errors, float64 [groups], in the unit of the score.
    """

    n: np.ndarray
    sums: np.ndarray


def pack_counts(n: np.ndarray) -> str:
    """Return the packed text of numbers of rows: whole numbers [groups] below 2**32."""
    return _packed(n.astype(_COUNTS))


def pack_errors(sums: np.ndarray) -> str:
    """Return the packed text of sums of errors: float64 [groups], finite and not negative."""
    largest = float(sums.max(initial=0.0))
    shares = np.zeros(len(sums))
    if largest > 0:
        shares = np.rint(sums / largest * LEVELS)
    return _packed(shares.astype(_SHARES))


def group_errors(record: Record, part: str, measure: str = "mse") -> GroupErrors | None:
    """Return the errors of a run by group.

    part: `test` or `val`. measure: `mse` or `log_loss`. None where the record has none, as records
    of earlier versions. Raises BenchError for a text that no run packs.
    """
    packed = groups_of(record, part).get(measure)
    if packed is None:
        return None
    return _errors_of(record, part, packed, record.quality.get(f"{part}_{measure}"))


def anchor_errors(record: Record, anchor: str) -> GroupErrors | None:
    """Return the squared errors of a predictor to beat on the scored part by group.

    None and BenchError as in `group_errors`.
    """
    scores = record.quality.get("anchors", {}).get(anchor, {})
    part = "test" if groups_of(record, "test") else "val"
    if "groups" not in scores or not groups_of(record, part):
        return None
    return _errors_of(record, part, scores["groups"], scores.get(f"{part}_mse"))


def groups_of(record: Record, part: str) -> Mapping[str, Any]:
    """Return `quality.groups` of a part, empty where the record has none."""
    return record.quality.get("groups", {}).get(part, {})


def _errors_of(record: Record, part: str, packed: str, score: float | None) -> GroupErrors:
    groups = groups_of(record, part)
    n = _unpacked(record, groups, groups["n"], _COUNTS).astype(np.int64)
    shares = _unpacked(record, groups, packed, _SHARES).astype(np.float64)
    total = shares.sum()
    if score is None or not n.sum():
        raise BenchError(f"{_fault(record, groups)} (they belong to no score); run it again")
    if total > 0:
        shares *= score * n.sum() / total
    return GroupErrors(n, shares)


def _packed(numbers: np.ndarray) -> str:
    return base64.b64encode(zlib.compress(_planes(numbers).tobytes(), 9)).decode()


def _planes(numbers: np.ndarray) -> np.ndarray:
    """Return all low bytes, then all higher ones, which compresses better than number by number."""
    return numbers.view(np.uint8).reshape(len(numbers), -1).T


def _unpacked(record: Record, groups: Mapping[str, Any], text: str, kind: np.dtype) -> np.ndarray:
    count = groups["count"]
    n_bytes = count * kind.itemsize
    stream = zlib.decompressobj()
    try:
        # at most a byte more than is right: a few bytes may unfold to gigabytes
        content = stream.decompress(base64.b64decode(text, validate=True), n_bytes + 1)
    except (binascii.Error, zlib.error) as error:
        raise BenchError(f"{_fault(record, groups)} ({error}); run it again") from error
    if len(content) != n_bytes or not stream.eof:
        raise BenchError(f"{_fault(record, groups)} (not {count} numbers); run it again")
    planes = np.frombuffer(content, np.uint8).reshape(kind.itemsize, count)
    return np.ascontiguousarray(planes.T).view(kind).reshape(count)


def _fault(record: Record, groups: Mapping[str, Any]) -> str:
    place = f"run {record.run_id} of study {record.study!r}"
    return f"{place}: its errors by {groups['by']} cannot be read"

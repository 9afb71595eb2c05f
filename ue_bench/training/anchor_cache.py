"""Anchors that were fitted once are kept in the data cache, for all runs on the same rows.

An entry is named by a digest of all that the anchors are computed from, code and data, so that none
can be out of date. A cache that cannot be read or written only means that each run fits its own.
"""

import hashlib
import json
from collections.abc import Callable, Mapping
from functools import cache
from importlib.metadata import version
from importlib.resources import files
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import polars as pl

from ue_bench.data.cache import alone, usable_cache
from ue_bench.data.encoding import Encoded
from ue_bench.errors import BenchError
from ue_bench.features import Feature
from ue_bench.record import group_errors
from ue_bench.training.baselines import Scores
from ue_bench.whole_file import write_whole

FOLDER = "anchors"
# What computes the anchors: an entry that other code or another library has made is not used.
CODE = (
    "anchors.py",
    "baselines.py",
    "boosting_anchor.py",
    "linear_anchor.py",
    "matrix_factorisation.py",
    "row_groups.py",
    "scores.py",
)
LIBRARIES = ("numpy", "scipy", "scikit-learn")


class Entry(msgspec.Struct, forbid_unknown_fields=True):
    """The content of a file. sha256: of the anchors as JSON."""

    anchors: dict[str, dict[str, float | int | str | None]]
    sha256: str


def kept(key: str, fit: Callable[[], dict[str, Scores]]) -> dict[str, Scores]:
    """Return the anchors of a key from the cache; where it has none, `fit` them and keep them.

    Of several processes that need one entry, one fits it and the others wait.
    """
    cache = usable_cache()
    if cache is None:
        return fit()
    path = cache / FOLDER / f"{key}.json"
    anchors = _read(path)
    if anchors is not None:
        return anchors
    with alone(path.with_suffix(".lock")):
        anchors = _read(path)  # of a process that was faster
        if anchors is None:
            anchors = fit()
            _write(path, anchors)
    return anchors


def key_of(encoded: Encoded, settings: Mapping[str, Any]) -> str:
    """Return 32 hex digits that follow from the rows, the features and the settings alone.

    The order of the features does not matter.
    """
    digest = hashlib.sha256(_code())
    versions = {name: version(name) for name in LIBRARIES}
    heading = {"libraries": versions, "settings": settings}
    digest.update(json.dumps(heading, sort_keys=True).encode())
    for numbers in (encoded.ratings, encoded.parts, encoded.user, encoded.item):
        _add(digest, numbers)
    if encoded.user_names is not None:
        _add_texts(digest, pl.Series(encoded.user_names, dtype=pl.String))
    order = sorted(range(len(encoded.features)), key=lambda index: encoded.features[index].name)
    for index in order:
        _add_feature(digest, encoded.features[index])
        _add(digest, encoded.codes[:, index])
    return digest.hexdigest()[:32]


@cache
def _code() -> bytes:
    """Return the text of the files that compute the anchors."""
    folder = files(__package__)
    packing = Path(group_errors.__file__)
    return b"".join(path.read_bytes() for path in (*map(folder.joinpath, CODE), packing))


def _add_feature(digest: Any, feature: Feature) -> None:
    digest.update(json.dumps([feature.name, feature.n_seen]).encode())
    _add_texts(digest, pl.Series(feature.values, dtype=pl.String))
    if feature.bags is not None:
        _add(digest, feature.bags.offsets)
        _add(digest, feature.bags.members)


def _add_texts(digest: Any, texts: pl.Series) -> None:
    _add(digest, texts.str.len_bytes().to_numpy())
    digest.update(texts.str.join("").item().encode())


def _add(digest: Any, numbers: np.ndarray) -> None:
    digest.update(f"{numbers.dtype} {numbers.shape} ".encode())
    digest.update(np.ascontiguousarray(numbers).data)


def _read(path: Path) -> dict[str, Scores] | None:
    """Return the anchors of an entry, or None where there is none or it is damaged."""
    try:
        entry = msgspec.json.decode(path.read_bytes(), type=Entry)
    except (OSError, msgspec.DecodeError, UnicodeDecodeError):
        return None
    if entry.sha256 != _checksum(entry.anchors):
        return None
    return entry.anchors


def _write(path: Path, anchors: dict[str, Scores]) -> None:
    entry = {"anchors": anchors, "sha256": _checksum(anchors)}
    try:
        write_whole(path, json.dumps(entry))
    except BenchError:  # the folder takes no file
        return


def _checksum(anchors: Mapping[str, Scores]) -> str:
    return hashlib.sha256(json.dumps(anchors, sort_keys=True).encode()).hexdigest()

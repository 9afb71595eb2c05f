"""Scores by how rare the values of a row are in training, the `quality.rarity` of a record."""

from collections.abc import Callable, Iterator, Mapping
from typing import Any, NamedTuple

import numpy as np

from ue_bench.data.encoding import Encoded
from ue_bench.features import Feature
from ue_bench.training.split_parts import PARTS

UNSEEN = ("0", "1", "2+")  # unseen values of a row
DECILES = 10

Scores = Mapping[str, Any]


class Rarity(NamedTuple):
    """How rare the values of the rows of a part are in training. A bag is as rare as its rarest.

    unseen: features with a value that training has not seen, int64 [N].
    least: the training rows that have the rarest value of the row, int64 [N]; 0 where it is unseen.
    """

    unseen: np.ndarray
    least: np.ndarray


def rarity_of(encoded: Encoded, part: str) -> Rarity:
    """Return the rarity of the rows of a part, in their order."""
    in_part = encoded.parts == PARTS[part]
    n_rows = int(in_part.sum())
    unseen = np.zeros(n_rows, np.int64)
    least = np.full(n_rows, np.iinfo(np.int64).max)
    for column, feature in enumerate(encoded.features):
        counts = _counts_by_code(feature)[encoded.codes[in_part, column]]
        unseen += counts == 0
        np.minimum(least, counts, out=least)
    return Rarity(unseen, least)


def _counts_by_code(feature: Feature) -> np.ndarray:
    """Return the training rows of the value, or of a bag's rarest value, of each code: int64."""
    counts = np.zeros(feature.cardinality, np.int64)
    counts[: feature.n_seen] = feature.counts
    if feature.bags is None:
        return counts
    return np.minimum.reduceat(counts[feature.bags.members], feature.bags.offsets[:-1])


def by_rarity(rarity: Rarity, score: Callable[[np.ndarray], Scores]) -> dict[str, Any]:
    """Return the scores of the rows by their unseen values, and by decile of `Rarity.least`.

    score: returns the scores of the chosen rows, bool [N].

    Rows that are as rare are in one group, so that a group may be several deciles: those from
    `first` to `last`, 1 to 10, of rows whose rarest value has `least` to `most` training rows.
    """
    groups = np.minimum(rarity.unseen, len(UNSEEN) - 1)
    by_unseen = {}
    for number, name in enumerate(UNSEEN):
        by_unseen[name] = dict(score(groups == number))
    by_decile = []
    for first, last, chosen in _deciles(rarity.least):
        counts = rarity.least[chosen]
        bounds = {"least": int(counts.min()), "most": int(counts.max())}
        by_decile.append({"first": first, "last": last, **bounds, **score(chosen)})
    return {"unseen": by_unseen, "deciles": by_decile}


def _deciles(least: np.ndarray) -> Iterator[tuple[int, int, np.ndarray]]:
    """Yield the groups of rows: the first and the last decile of each, and its rows, bool [N]."""
    if not len(least):
        return
    ends = -(-np.arange(1, DECILES + 1) * len(least) // DECILES)  # rows up to each decile's end
    edges = np.sort(least)[ends - 1]
    above = -1  # the largest count of the group before
    for most in np.unique(edges):
        deciles = np.flatnonzero(edges == most) + 1
        yield int(deciles[0]), int(deciles[-1]), (least > above) & (least <= most)
        above = most

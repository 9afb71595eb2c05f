"""The graph of values that meet in training rows, and its clusters.

A node is a training value, an edge has as its weight the training rows in which both values are.
Clusters are found by Louvain's method (Blondel et al., 2008, arXiv 0803.0476): they maximise the
modularity of Reichardt and Bornholdt (2006, arXiv cond-mat/0603718), whose resolution decides how
fine they are.
"""

from collections.abc import Sequence
from functools import lru_cache
from typing import NamedTuple

import numpy as np
from scipy.sparse import csr_matrix
from sknetwork.clustering import Louvain

from ue_bench.features import Feature
from ue_bench.strategies.training_rows import TrainingRows
from ue_bench.strategies.vocabulary import Vocabulary

# Resolutions that are tried, from clusters of a whole component to values alone.
_RESOLUTIONS = tuple(0.01 * 2 ** (step / 2) for step in range(61))


class Group(NamedTuple):
    """Nodes whose clusters share rows. limit: the most clusters that they may fall into.

    nodes: int64 [n], the most frequent ones first.
    """

    nodes: np.ndarray
    limit: int


class ValueGraph:
    """starts: the first node of each feature, whose others follow in the order of its vocabulary.

    Features are numbered in the order of their names, so that their order changes nothing.
    """

    def __init__(
        self, features: Sequence[Feature], vocabularies: Sequence[Vocabulary], rows: TrainingRows
    ) -> None:
        self.starts = [0] * len(vocabularies)
        self.size = 0
        by_name = sorted(range(len(vocabularies)), key=lambda index: features[index].name)
        for index in by_name:
            self.starts[index] = self.size
            self.size += vocabularies[index].size
        self._weights = self._meetings(features, vocabularies, rows)
        self._clusters = lru_cache(maxsize=len(_RESOLUTIONS))(self._louvain)

    def _meetings(
        self, features: Sequence[Feature], vocabularies: Sequence[Vocabulary], rows: TrainingRows
    ) -> csr_matrix:
        """Return in how many training rows two nodes meet: symmetric [nodes, nodes]."""
        row_of = []
        node_of = []
        for index, vocabulary in enumerate(vocabularies):
            position_of = vocabulary.positions(features[index].values)
            position = position_of[rows.codes[:, index].numpy()]
            known = position < vocabulary.size
            row_of.append(rows.owner.numpy()[known])
            node_of.append(self.starts[index] + position[known])
        places = np.concatenate(row_of), np.concatenate(node_of)
        shape = rows.count, self.size
        in_row = csr_matrix((np.ones(len(places[0])), places), shape)
        in_row.data[:] = 1  # a row of several bags has some values more than once
        meetings = (in_row.T @ in_row).tocsr()
        meetings.setdiag(0)
        meetings.eliminate_zeros()
        return meetings

    def _louvain(self, step: int, seed: int) -> np.ndarray:
        """Return the cluster of each node, in a random order of nodes: int64 [nodes]."""
        if not self._weights.nnz:  # no values meet
            return np.arange(self.size)
        louvain = Louvain(resolution=_RESOLUTIONS[step], shuffle_nodes=True, random_state=seed)
        return np.asarray(louvain.fit_predict(self._weights), np.int64)

    def clusters(self, group: Group, seed: int) -> np.ndarray:
        """Return the clusters of a group's nodes at the finest resolution that it allows.

        They are whole numbers below the limit, int64 [n]. What is left of the limit gives the most
        frequent nodes a cluster each. Where the coarsest resolution has more clusters than the
        limit, some become one.
        """
        if len(group.nodes) <= group.limit:
            return np.arange(len(group.nodes))
        fits, fails = 0, len(_RESOLUTIONS)
        while fails - fits > 1:
            step = (fits + fails) // 2
            if _count(self._clusters(step, seed)[group.nodes]) <= group.limit:
                fits = step
            else:
                fails = step
        found = np.unique(self._clusters(fits, seed)[group.nodes], return_inverse=True)[1]
        return _alone(found.astype(np.int64) % group.limit, group.limit)


def _count(clusters: np.ndarray) -> int:
    return len(np.unique(clusters))


def _alone(clusters: np.ndarray, limit: int) -> np.ndarray:
    """Give the first nodes that share a cluster one of their own, up to `limit` clusters."""
    sizes = np.bincount(clusters)
    next_one = len(sizes)
    for node, cluster in enumerate(clusters):
        if next_one == limit:
            break
        if sizes[cluster] > 1:
            sizes[cluster] -= 1
            clusters[node] = next_one
            next_one += 1
    return clusters

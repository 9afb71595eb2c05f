"""Biased matrix factorisation by alternating least squares: the strongest of the simple rivals that see only user and movie."""

from typing import NamedTuple

import numpy as np

from ue_bench.data.coded import chunks

RANK = 8
PENALTY = 15.0  # rank and penalty: chosen on validation MSE, ML-100K's random split, two seeds (trials not kept)
SPREAD = 0.9166  # standard deviation of the residuals that they were chosen on, stars: what the penalty is worth depends on it
SWEEPS = 10
BATCH_ROWS = 1 << 14  # training rows solved at once: their vectors stay in the cache


class Batch(NamedTuple):
    """Some users, or movies, of equally many training rows. own: int64 [G]. others: int32 [G, C], residuals: float64 [G, C]."""

    own: np.ndarray
    others: np.ndarray
    residuals: np.ndarray


def explained(
    user: np.ndarray,
    item: np.ndarray,
    residuals: np.ndarray,
    train: np.ndarray,
    rank: int = RANK,
    penalty: float = PENALTY,
    sweeps: int = SWEEPS,
) -> np.ndarray:
    """p_u . q_i for every row, fitted to the residuals of the training rows: float64 [N].

    user, item: whole numbers [N]. residuals: float64 [N]. train: bool [N]. Minimises sum (residual - p_u . q_i)^2 + penalty
    (sum |p|^2 + sum |q|^2), one side at a time (Koren, Bell and Volinsky 2009, "Matrix factorization techniques for recommender
    systems"). A user or movie that training lacks has a zero vector.
    """
    n_items = int(item.max()) + 1
    p = np.zeros((int(user.max()) + 1, rank))
    q = np.random.default_rng(0).normal(0.0, 0.1, (n_items, rank))
    q[np.bincount(item[train], minlength=n_items) == 0] = 0.0
    by_user, by_item = (
        _batches(user, item, residuals, train),
        _batches(item, user, residuals, train),
    )
    for _ in range(sweeps):
        _solve(by_user, q, p, penalty)
        _solve(by_item, p, q, penalty)
    found = np.empty(len(user))
    for part in chunks(len(user)):
        found[part] = np.einsum("nr,nr->n", p[user[part]], q[item[part]])
    return found


def _batches(
    own: np.ndarray, other: np.ndarray, residuals: np.ndarray, train: np.ndarray
) -> list[Batch]:
    """The training rows of every one of `own`, side by side, and those of equally many rows together."""
    counts = np.bincount(own[train])
    by_count = np.argsort(counts, kind="stable")[int((counts == 0).sum()) :]
    place = np.zeros(len(counts), np.int32)
    place[by_count] = np.arange(len(by_count))
    rows = np.flatnonzero(train)[np.argsort(place[own[train]], kind="stable")]
    others, of_rows = other[rows], residuals[rows]
    found, row, owner = [], 0, 0
    for count, owners in zip(
        *(column.tolist() for column in np.unique(counts[by_count], return_counts=True)),
        strict=True,
    ):
        at_once = max(1, BATCH_ROWS // count)
        for first in range(0, owners, at_once):
            size = min(at_once, owners - first)
            ids, part = by_count[owner : owner + size], slice(row, row + size * count)
            found.append(
                Batch(ids, others[part].reshape(size, count), of_rows[part].reshape(size, count))
            )
            row, owner = row + size * count, owner + size
    return found


def _solve(batches: list[Batch], known: np.ndarray, sought: np.ndarray, penalty: float) -> None:
    """The ridge regression of every one, into its row of `sought`."""
    ridge = penalty * np.eye(known.shape[1])
    for own, others, residuals in batches:
        x = known[others]
        xt = x.transpose(0, 2, 1)
        sought[own] = np.linalg.solve(xt @ x + ridge, xt @ residuals[:, :, None])[:, :, 0]

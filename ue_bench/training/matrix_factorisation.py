"""Biased matrix factorisation by alternating least squares: the strongest of the baselines that see
only the user and the movie."""

from typing import NamedTuple

import numpy as np

from ue_bench.data.coded import chunks

# Rank and penalty were chosen by validation MSE on the random split of ML-100K, with two seeds; the
# trials were not kept.
RANK = 8
PENALTY = 15.0
# Standard deviation of the residuals, in stars, that the penalty was chosen on. The effect of a
# penalty depends on it.
SPREAD = 0.9166
SWEEPS = 10
BATCH_ROWS = 1 << 14  # training rows solved at once, few enough for their vectors to stay in cache


class Vectors(NamedTuple):
    """The vectors of users and items: float64 [users, r] and [items, r].

    Those of a user or item without training rows are zero.
    """

    user: np.ndarray
    item: np.ndarray

    def products(self, user: np.ndarray, item: np.ndarray) -> np.ndarray:
        """Return p_u . q_i of each row: float64 [N]. user, item: whole numbers [N]."""
        products = np.empty(len(user))
        for part in chunks(len(user)):
            p = self.user[user[part]]
            q = self.item[item[part]]
            products[part] = np.einsum("nr,nr->n", p, q)
        return products


class Batch(NamedTuple):
    """Some users, or movies, that have equally many training rows.

    ids: the users, int64 [G]. others: the movie of each of their rows, int32 [G, C]. residuals:
    float64 [G, C].
    """

    ids: np.ndarray
    others: np.ndarray
    residuals: np.ndarray


def fit_vectors(
    user: np.ndarray,
    item: np.ndarray,
    residuals: np.ndarray,
    train: np.ndarray,
    rank: int = RANK,
    penalty: float = PENALTY,
    sweeps: int = SWEEPS,
) -> Vectors:
    """Return the vectors that are fitted to the residuals of the training rows.

    They minimise sum (residual - p_u . q_i)^2 + penalty (sum |p|^2 + sum |q|^2), one side at a time
    (Koren, Bell and Volinsky 2009, "Matrix factorization techniques for recommender systems").

    user, item: whole numbers [N].
    residuals: float64 [N].
    train: bool [N].
    """
    n_users = int(user.max()) + 1
    n_items = int(item.max()) + 1
    user_vectors = np.zeros((n_users, rank))
    item_vectors = np.random.default_rng(0).normal(0.0, 0.1, (n_items, rank))
    item_vectors[np.bincount(item[train], minlength=n_items) == 0] = 0.0
    by_user = _batches(user, item, residuals, train)
    by_item = _batches(item, user, residuals, train)
    for _ in range(sweeps):
        _solve(by_user, item_vectors, user_vectors, penalty)
        _solve(by_item, user_vectors, item_vectors, penalty)
    return Vectors(user_vectors, item_vectors)


def _batches(
    owner: np.ndarray, other: np.ndarray, residuals: np.ndarray, train: np.ndarray
) -> list[Batch]:
    """Group the training rows by owner, and put owners with equally many rows into one batch."""
    counts = np.bincount(owner[train])
    n_without_rows = int((counts == 0).sum())
    owners = np.argsort(counts, kind="stable")[n_without_rows:]
    rank = np.zeros(len(counts), np.int32)
    rank[owners] = np.arange(len(owners))
    rows = np.flatnonzero(train)[np.argsort(rank[owner[train]], kind="stable")]
    sorted_others = other[rows]
    sorted_residuals = residuals[rows]

    batches = []
    first_row = 0
    first_owner = 0
    row_counts, owner_counts = np.unique(counts[owners], return_counts=True)
    for count, n_owners in zip(row_counts.tolist(), owner_counts.tolist(), strict=True):
        at_once = max(1, BATCH_ROWS // count)
        for start in range(0, n_owners, at_once):
            size = min(at_once, n_owners - start)
            last_row = first_row + size * count
            batch = Batch(
                ids=owners[first_owner : first_owner + size],
                others=sorted_others[first_row:last_row].reshape(size, count),
                residuals=sorted_residuals[first_row:last_row].reshape(size, count),
            )
            batches.append(batch)
            first_row = last_row
            first_owner += size
    return batches


def _solve(
    batches: list[Batch], fixed_vectors: np.ndarray, vectors: np.ndarray, penalty: float
) -> None:
    """Replace each row of `vectors` by its ridge regression on the vectors of the other side."""
    ridge = penalty * np.eye(fixed_vectors.shape[1])
    for ids, others, residuals in batches:
        x = fixed_vectors[others]
        xt = x.transpose(0, 2, 1)
        solutions = np.linalg.solve(xt @ x + ridge, xt @ residuals[:, :, None])
        vectors[ids] = solutions[:, :, 0]

"""How well the rows of each user are ranked, the `quality.ranking` of a record."""

from typing import Any

import numpy as np

from ue_bench.data.encoding import Encoded
from ue_bench.training.split_parts import PARTS

AT = 10  # rows of a user that count


def ranking(encoded: Encoded, part: str, predictions: np.ndarray) -> dict[str, Any] | None:
    """Return the NDCG@10 of the rows of a part, the mean over its users; None without users.

    The gain of a row is its target less the lowest target of the data; the row at place k counts
    gain / log2(k + 1), and the sum is divided by that of the best order (Järvelin and Kekäläinen,
    ACM TOIS 2002). The rows of a user that are ranked are those of the part alone. A user whose
    rows have one target is left out: every order is the best. Equal predictions stay in file order.

    predictions: [rows of the part].
    """
    if encoded.user_names is None:
        return None
    in_part = encoded.parts == PARTS[part]
    user = encoded.user[in_part]
    gains = encoded.ratings[in_part].astype(np.float64) - float(encoded.ratings.min(initial=np.inf))
    n_users = int(user.max(initial=-1)) + 1
    low = np.full(n_users, np.inf)
    high = np.full(n_users, -np.inf)
    np.minimum.at(low, user, gains)
    np.maximum.at(high, user, gains)
    ranked = high > low
    own = _discounted(user, gains, predictions, n_users)[ranked]
    best = _discounted(user, gains, gains, n_users)[ranked]
    count = int(ranked.sum())
    ndcg = float((own / best).mean()) if count else None
    return {"at": AT, "users": count, "ndcg": ndcg}


def _discounted(
    user: np.ndarray, gains: np.ndarray, scores: np.ndarray, n_users: int
) -> np.ndarray:
    """Return the discounted gain of each user's rows in the order of scores: float64 [users]."""
    order = np.lexsort((-scores, user))
    of_user = user[order]
    starts = np.searchsorted(of_user, np.arange(n_users))
    place = np.arange(len(order)) - starts[of_user]
    discounted = np.where(place < AT, gains[order] / np.log2(place + 2), 0.0)
    return np.bincount(of_user, discounted, n_users)

"""What becomes of errors and bytes over a stream, the `quality.stream` of a record."""

from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import numpy as np
import torch
from torch import Tensor

from ue_bench.data.encoding import Encoded
from ue_bench.features import Feature
from ue_bench.strategies.base import EmbeddingStrategy
from ue_bench.strategies.pool import Pool
from ue_bench.training.model import RatingModel
from ue_bench.training.stream import BlockEnd
from ue_bench.training.train import Rows

AWAY = 5  # blocks without a value after which it has returned
KINDS = ("warm", "new", "returned")


def kinds_of_rows(
    codes: np.ndarray, ends: Sequence[int], features: Sequence[Feature]
) -> np.ndarray:
    """Return the kind of each row in the order of time, a place in `KINDS`: int8 [N].

    A row is new where a value has not been in any block before, otherwise returned where one was
    not in the `AWAY` blocks before, otherwise warm. Of a bag of values its number counts.

    codes: [N, F] in the order of time.
    """
    kinds = np.zeros(len(codes), np.int8)
    last = []
    for column, feature in enumerate(features):
        count = feature.cardinality if feature.bags is None else len(feature.bags)
        last.append(np.full(max(count, int(codes[:, column].max(initial=-1)) + 1), -1))
    for number, (first, end) in enumerate(pairwise([0, *ends])):
        block = slice(first, end)
        for column in range(codes.shape[1]):
            seen = last[column][codes[block, column]]
            is_new = seen < 0
            is_back = ~is_new & (number - seen > AWAY)
            kinds[block] = np.where(is_new, 1, kinds[block])
            kinds[block] = np.where(is_back & (kinds[block] == 0), 2, kinds[block])
        for column in range(codes.shape[1]):
            last[column][codes[block, column]] = number
    return kinds


def bytes_now(strategy: EmbeddingStrategy, end: BlockEnd) -> dict[str, Any]:
    """Return the bytes that the strategy holds after a block, and its rows that serve a value."""
    footprint = strategy.footprint()
    rows = sum(module.rows for module in strategy.modules() if isinstance(module, Pool))
    live = strategy.live_rows()
    table = footprint.table
    if live is not None and strategy.spec.budget is None and rows:
        table = round(table * live / rows)  # a table that grows has no rows in advance
    return {
        "table_bytes": table,
        "auxiliary_bytes": footprint.auxiliary,
        "vocabulary_bytes": footprint.vocabulary,
        "optimizer_bytes": end.optimizer_bytes,
        "live_rows": rows if live is None else live,
    }


class RecentValues:
    """The values of the last `AWAY` blocks, by feature: what a table serves now."""

    def __init__(self, codes: np.ndarray, ends: Sequence[int], features: Sequence[Feature]) -> None:
        """codes: [N, F] of single values, or of bags, in the order of time."""
        self._codes = codes
        self._ends = [0, *ends]
        self._features = features

    def sharing(self, strategy: EmbeddingStrategy, block: int) -> dict[str, Any]:
        """Return how many rows of the table no such value has, and how many of the values' rows are
        those of others too; nothing of a strategy whose slots are no rows of one pool.
        """
        if not strategy.one_pool:
            return {}
        first = self._ends[max(0, block + 1 - AWAY)]
        codes = self._codes[first : self._ends[block + 1]]
        located = []
        for index, feature in enumerate(self._features):
            recent = np.unique(codes[:, index])
            if feature.bags is not None:
                recent = np.unique([code for bag in recent.tolist() for code in feature.bags[bag]])
            values = [feature.values[code] for code in recent.tolist()]
            located.append(strategy.locate_checked(index, values).flatten())
        slots = torch.cat(located)
        distinct, counts = slots.unique(return_counts=True)
        rows = strategy.live_rows() if strategy.spec.budget is None else None
        if rows is None:
            rows = next(module.rows for module in strategy.modules() if isinstance(module, Pool))
        return {
            "idle_share": 1 - len(distinct) / rows,
            "shared_share": float(counts[counts > 1].sum()) / len(slots),
        }


def curves(
    model: RatingModel,
    rows: Rows,
    given: Tensor,
    encoded: Encoded,
    ends: Sequence[int],
    held: Sequence[dict[str, Any]],
) -> dict[str, Any]:
    """Return the errors of each block but the first, with the bytes after it.

    rows, given: in the order of time, with what the model gave them. held: of all blocks.
    """
    order = encoded.order
    kinds = kinds_of_rows(encoded.codes[order], ends, encoded.features)
    scored = slice(ends[0], None)  # the first block is not predicted
    given, targets, kinds = given[scored], rows.ratings[scored], kinds[scored]
    predicted = model.predictions(given).double().cpu().numpy()
    squares = np.square(predicted - targets.double().cpu().numpy())
    losses = model.row_errors(given, targets).get("log_loss")
    blocks = []
    for number, (first, last) in enumerate(pairwise(ends), 1):
        block = slice(first - ends[0], last - ends[0])
        of_block = None if losses is None else losses[block]
        scores = _block_scores(kinds[block], squares[block], of_block)
        blocks.append({"block": number, **scores, **held[number]})
    return {"away": AWAY, "blocks": blocks}


def _block_scores(
    kinds: np.ndarray, squares: np.ndarray, losses: np.ndarray | None
) -> dict[str, Any]:
    """Return the errors of a block's rows, all of them and by their kind.

    squares: of the errors. losses: of labels, the log loss of each row.
    """
    scores: dict[str, Any] = {"n": len(squares), "mse": float(squares.mean())}
    if losses is not None:
        scores["log_loss"] = float(losses.mean())
    for number, name in enumerate(KINDS):
        rows = kinds == number
        of_kind: dict[str, Any] = {"n": int(rows.sum()), "mse": None}
        if rows.any():
            of_kind["mse"] = float(squares[rows].mean())
            if losses is not None:
                of_kind["log_loss"] = float(losses[rows].mean())
        scores[name] = of_kind
    return scores

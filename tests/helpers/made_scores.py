"""Scores that no run has, for tests of statistics."""

from collections.abc import Mapping

import numpy as np

from ue_bench.record.group_errors import GroupErrors
from ue_bench.report.evidence.run_scores import ScoredRows, Scores

RATIO = 1 / 8  # test rows for one training row, of the random split


def redrawn(values, ratio: float = RATIO, bias: Mapping | None = None) -> Scores:
    """Scores of seeds that each draw their rows. values: by seed, or in order of seeds 0, 1, ..."""
    by_seed = dict(values) if isinstance(values, Mapping) else dict(enumerate(values))
    return Scores(by_seed, ScoredRows(are_redrawn=True, ratio=ratio), bias or {})


def fixed(sums: np.ndarray, n: np.ndarray, seeds=None, identity: str = "rows") -> Scores:
    """Scores of seeds that have the same rows. sums: errors [seeds, users]. n: rows [users]."""
    sums = np.asarray(sums, dtype=np.float64)
    names = list(range(len(sums)) if seeds is None else seeds)
    place_of = {seed: place for place, seed in enumerate(names)}
    return Scores(
        values_by_seed=dict(zip(names, sums.sum(1) / n.sum(), strict=True)),
        rows=ScoredRows(are_redrawn=False, ratio=0.1, identity=identity, by="user"),
        errors=lambda seed: GroupErrors(n, sums[place_of[seed]]),
    )

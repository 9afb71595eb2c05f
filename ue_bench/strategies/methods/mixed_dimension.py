"""Mixed-dimension embeddings: the more values a feature has, the fewer numbers each gets, and a
linear map makes up the width.

    d_f ~ cardinality_f ^ -alpha, from 1 to l D        vector(x) = E_f[position(x)] P_f

Ginart et al., ISIT 2021 (arXiv 1909.11810), where alpha is the temperature: 0 gives all features
equal rows. Here the scale follows from the budget, a whole number at a time, and is not rounded to
powers of two. A feature with d_f = l D has no P_f. Where the budget does not pay for a number of
every training value, the rarest values count as unseen. Needs a vocabulary.
Bytes: 4 (n_f + 1) d_f + 4 d_f l D for every feature of n_f training values and l lookups.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from ue_bench.strategies.kept_values import keeping_frequent
from ue_bench.strategies.knobs import require
from ue_bench.strategies.methods.projected_rows import ProjectedRows
from ue_bench.strategies.spec import Spec


class MixedDimension(ProjectedRows):
    knobs: Mapping[str, Any] = {"alpha": 0.3}

    def __init__(self, spec: Spec) -> None:
        super().__init__(keeping_frequent(spec, smallest))

    def shares(self) -> Sequence[float]:
        alpha = self.options["alpha"]
        require(self.spec, "alpha", alpha, 0 <= alpha <= 2, "from 0 to 2")
        return [feature.cardinality**-alpha for feature in self.spec.features]


def smallest(spec: Spec) -> int:
    """Bytes of rows of one number, and of the matrices that make up their width."""
    n_bytes = 0
    for feature, lookups in zip(spec.features, spec.lookups, strict=True):
        n_bytes += spec.numbers.pool_bytes(feature.n_known + 1, 1) + 4 * lookups * spec.dim
    return n_bytes

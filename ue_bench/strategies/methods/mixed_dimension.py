"""Mixed-dimension embeddings: the more values a feature has, the fewer numbers each gets, and a
linear map makes up the width.

    d_f ~ cardinality_f ^ -alpha, from 1 to l D        vector(x) = E_f[position(x)] P_f

Ginart et al., ISIT 2021 (arXiv 1909.11810), where alpha is the temperature: 0 gives all features
equal rows. Here the scale follows from the budget, a whole number at a time, and is not rounded to
powers of two. A feature with d_f = l D has no P_f. Needs a vocabulary.
Bytes: 4 (n_f + 1) d_f + 4 d_f l D for every feature of n_f training values and l lookups.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from ue_bench.strategies.knobs import require
from ue_bench.strategies.methods.projected_rows import ProjectedRows


class MixedDimension(ProjectedRows):
    knobs: Mapping[str, Any] = {"alpha": 0.3}

    def shares(self) -> Sequence[float]:
        alpha = self.options["alpha"]
        require(self.spec, "alpha", alpha, 0 <= alpha <= 2, "from 0 to 2")
        return [feature.cardinality**-alpha for feature in self.spec.features]

"""The low-dimension exact table: an exact row of few numbers for every training value, and a linear
map to the width.

    vector(x) = E_f[position(x)] P[0:d_f]
    E_f: n_f + 1 rows of d_f numbers, P: a matrix to the feature's l D numbers

A linear bottleneck under an exact table is the common baseline of compression papers, such as
Clustered Compositional Embeddings (arXiv 2210.05974). Multiplexed: features of the same width share
one P, and their d_f differ by at most one until only small features fit, which take the rest.
Separate: every feature has its own P, and d_f is such that the region rule sizes the tables.
A feature with d_f = l D has no P. Needs a vocabulary.
Bytes: 4 (n_f + 1) d_f for every feature, and 4 d l D for every P of d rows.
"""

from collections.abc import Sequence

from ue_bench.strategies.methods.projected_rows import ProjectedRows
from ue_bench.strategies.regions import rule_of


class LowDimExact(ProjectedRows):
    def shares(self) -> Sequence[float]:
        if self.spec.regions != "separate":
            return [1.0] * len(self.n_rows)
        weigh = rule_of(self.spec.region_rule)
        cardinalities = [feature.cardinality for feature in self.spec.features]
        return [weigh(cardinality) / cardinality for cardinality in cardinalities]

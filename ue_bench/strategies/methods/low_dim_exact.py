"""The low-dimension exact table: an exact row of few numbers for every training value, and a linear map to the width.

    vector(x) = E_f[position(x)] P[0:d_f]        E_f: n_f + 1 rows of d_f numbers, P: a matrix to the feature's l D numbers

A linear bottleneck under an exact table is the common baseline of compression papers, such as Clustered Compositional
Embeddings (arXiv 2210.05974). Multiplexed: one P for all features of a width, and the d_f differ by one at most until only small
features fit, which take the rest. Separate: a P for every feature, and d_f so that tables are sized by the region rule.
A feature with d_f = l D has no P. Needs a vocabulary.
Bytes: 4 (n_f + 1) d_f for every feature, and 4 d l D for every P of d rows.
"""

from collections.abc import Sequence

from ue_bench.errors import unknown
from ue_bench.strategies.methods.projected_rows import ProjectedRows
from ue_bench.strategies.regions import RULES


class LowDimExact(ProjectedRows):
    def shares(self) -> Sequence[float]:
        rule = self.spec.region_rule or "proportional"
        if self.spec.regions != "separate":
            return [1.0] * len(self.rows)
        if rule not in RULES:
            raise unknown("region rule", rule, RULES)
        return [
            RULES[rule](feature.cardinality) / feature.cardinality for feature in self.spec.features
        ]

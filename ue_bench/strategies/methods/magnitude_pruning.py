"""Magnitude pruning: train the exact table, then keep the numbers that are largest in absolute
value.

    E'[r, j] = E[r, j] if |E[r, j]| is among the K largest, else 0
    vector(x) = [E'[row_1(x)], ..., E'[row_l(x)]]

Han et al., NeurIPS 2015 (arXiv 1506.02626), without further training. The numbers of all features
are ranked together. The float table is held in training only; between epochs the pruned table is
validated. Needs a vocabulary.
Bytes: 4 K for float32 values, and to find them either 4 K for their sorted int32 indices or a bit
for every number of the exact table and an int32 for every 16 rows, whichever leaves more to K.
"""

from ue_bench.strategies.methods.pruned_table import PrunedTable


class MagnitudePruning(PrunedTable):
    pass

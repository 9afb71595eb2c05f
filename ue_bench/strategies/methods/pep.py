"""PEP: the exact table under soft thresholds, one for each feature, that are learned with it.

    E'[r, j] = sign(E[r, j]) max(|E[r, j]| - sigmoid(s_f), 0), of which the K largest are kept
    vector(x) = [E'[row_1(x)], ..., E'[row_l(x)]]

Liu et al., Learnable Embedding Sizes for Recommender Systems, ICLR 2021 (arXiv 2101.07577). The
paper lets thresholds grow until few enough numbers are left and trains the table again. Here there
is one training, and what the thresholds leave is cut at the budget. `threshold`: where sigmoid(s_f)
starts, as a share of init_scale. Float table and thresholds are held in training only; between
epochs the pruned table is validated. Needs a vocabulary.
Bytes: 4 K for float32 values, and to find them either 4 K for their sorted int32 indices or a bit
for every number of the exact table and an int32 for every 16 rows, whichever leaves more to K.
"""

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn

from ue_bench.errors import BenchError
from ue_bench.strategies.knobs import require
from ue_bench.strategies.methods.pruned_table import PrunedTable
from ue_bench.strategies.spec import Spec


class PEP(PrunedTable):
    training_only = ("pool.weight", "thresholds")
    _ends: Tensor
    knobs: Mapping[str, Any] = {"threshold": 0.5}

    def __init__(self, spec: Spec) -> None:
        super().__init__(spec)
        share = self.options["threshold"]
        require(spec, "threshold", share, 0 < share < 1, "between 0 and 1")
        start = torch.tensor(share * spec.init_scale)
        if start >= 1:
            raise BenchError(
                f"{spec.name}: thresholds are below 1 and start at {start:g}; lower threshold or "
                "init_scale"
            )
        self.thresholds = nn.Parameter(start.logit().repeat(len(spec.features)))
        ends = [*self.starts[1:], len(self.pool.weight)]  # of the rows of each feature
        self.register_buffer("_ends", torch.tensor(ends), persistent=False)

    def trained(self, slots: Tensor) -> Tensor:
        rows = self.pool(slots)
        feature = torch.searchsorted(self._ends, slots, right=True)
        threshold = self.thresholds.sigmoid()[feature].unsqueeze(-1)
        return rows.sign() * (rows.abs() - threshold).relu()

"""PEP: the exact table under soft thresholds, one for each feature, that are learned with it; what
they leave is trained again from its initial values.

    search:    E'[r, j] = sign(E[r, j]) max(|E[r, j]| - sigmoid(s_f), 0)
    retrain:   E'[r, j] = M[r, j] E[r, j],  M = 1 for the K largest |E'| of the search, else 0
    vector(x) = [E'[row_1(x)], ..., E'[row_l(x)]]

Liu et al., Learnable Embedding Sizes for Recommender Systems, ICLR 2021 (arXiv 2101.07577). The
paper searches until few enough numbers are left. Here the search takes `search_epochs` epochs, and
the budget then cuts what the thresholds leave; E starts again from its initial values, as in the
paper. `threshold`: where sigmoid(s_f) starts, as a share of init_scale. Everything but the kept
numbers is held in training only, and every evaluation sees the pruned table. Needs a vocabulary.
Bytes: 4 K for float32 values, and to find them either 4 K for their sorted int32 indices or a bit
for every number of the exact table and an int32 for every 16 rows, whichever leaves more to K.
"""

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn

from ue_bench.errors import BenchError
from ue_bench.strategies.knobs import require
from ue_bench.strategies.methods.pruned_table import PrunedTable, largest
from ue_bench.strategies.spec import Spec


class PEP(PrunedTable):
    training_only = ("pool.weight", "thresholds", "mask", "initial", "searches")
    mask: Tensor
    initial: Tensor
    searches: Tensor
    _ends: Tensor
    knobs: Mapping[str, Any] = {"threshold": 0.5, "search_epochs": 3}

    def __init__(self, spec: Spec) -> None:
        super().__init__(spec)
        share = self.options["threshold"]
        require(spec, "threshold", share, 0 < share < 1, "between 0 and 1")
        search_epochs = self.options["search_epochs"]
        require(spec, "search_epochs", search_epochs, search_epochs >= 1, "at least 1")
        start = torch.tensor(share * spec.init_scale)
        if start >= 1:
            raise BenchError(
                f"{spec.name}: thresholds are below 1 and start at {start:g}; lower threshold or "
                "init_scale"
            )
        self.thresholds = nn.Parameter(start.logit().repeat(len(spec.features)))
        ends = [*self.starts[1:], len(self.pool.weight)]  # of the rows of each feature
        self.register_buffer("_ends", torch.tensor(ends), persistent=False)
        self.register_buffer("initial", self.pool.weight.detach().clone())
        self.register_buffer("mask", torch.ones_like(self.pool.weight, dtype=torch.bool))
        self.register_buffer("searches", torch.ones((), dtype=torch.bool))

    def trained(self, slots: Tensor) -> Tensor:
        rows = self.pool(slots)
        if not self.searches:
            return rows * self.mask[slots]
        feature = torch.searchsorted(self._ends, slots, right=True)
        threshold = self.thresholds.sigmoid()[feature].unsqueeze(-1)
        return rows.sign() * (rows.abs() - threshold).relu()

    @torch.no_grad()
    def end_epoch(self, epoch: int) -> bool:
        if epoch + 1 != self.options["search_epochs"]:
            return False
        self.mask.copy_(largest(self.table(), self.served.count) != 0)
        self.searches.fill_(False)
        self.pool.weight.copy_(self.initial * self.mask)
        return True  # the optimizer's moments are those of the search

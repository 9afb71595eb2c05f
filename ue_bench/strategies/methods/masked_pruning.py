"""Masked pruning: prune the exact table by magnitude early, and train what is left of it further.

    after prune_epoch epochs: M[r, j] = 1 if |E[r, j]| is among the K largest, else 0
    vector(x) = [(M E)[row_1(x)], ..., (M E)[row_l(x)]], M E number by number

Han et al., NeurIPS 2015 (arXiv 1506.02626), in one step. Before that step, and if training ends
before it, M is 1 in training and every evaluation chooses it anew. The float table and the mask
are held in training only. Needs a vocabulary.
Bytes: 4 K for float32 values, and to find them either 4 K for their sorted int32 indices or a bit
for every number of the exact table and an int32 for every 16 rows, whichever leaves more to K.
"""

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

from ue_bench.strategies.knobs import require
from ue_bench.strategies.methods.pruned_table import PrunedTable, largest
from ue_bench.strategies.spec import Spec


class MaskedPruning(PrunedTable):
    training_only = ("pool.weight", "mask")
    mask: Tensor
    knobs: Mapping[str, Any] = {"prune_epoch": 2}

    def __init__(self, spec: Spec) -> None:
        super().__init__(spec)
        prune_epoch = self.options["prune_epoch"]
        require(spec, "prune_epoch", prune_epoch, prune_epoch >= 1, "at least 1")
        self.register_buffer("mask", torch.ones_like(self.pool.weight, dtype=torch.bool))

    def trained(self, slots: Tensor) -> Tensor:
        return self.pool(slots) * self.mask[slots]

    @torch.no_grad()
    def end_epoch(self, epoch: int) -> bool:
        if epoch + 1 != self.options["prune_epoch"]:
            return False
        self.mask.copy_(largest(self.pool.weight, self.served.count) != 0)
        self.pool.weight.mul_(self.mask)
        return True  # the optimizer's moments are of numbers that are gone

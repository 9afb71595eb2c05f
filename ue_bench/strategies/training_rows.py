"""The training rows as a strategy sees them that learns from which values meet."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from ue_bench.features import Feature
from ue_bench.strategies.bags import bag_index


@dataclass(frozen=True, eq=False)
class TrainingRows:
    """Rows of single values: a row with bags is several of them.

    codes: int32 or int64 [R, F]. owner: int64 [R], the training row that each belongs to.
    count: the number of training rows.
    """

    codes: Tensor
    owner: Tensor
    count: int

    @classmethod
    def of(cls, features: Sequence[Feature], codes: Tensor) -> "TrainingRows":
        """Make them of codes [rows, F]; that of a multi-valued feature is the number of a bag."""
        codes = codes.cpu()
        bags = bag_index(features)
        if bags is None:
            return cls(codes, torch.arange(len(codes)), len(codes))
        single, spread = bags.spread(codes)
        return cls(single, spread.owner, len(codes))

    def columns(self, indices: Sequence[int]) -> "TrainingRows":
        """Return the rows of a few features."""
        return replace(self, codes=self.codes[:, list(indices)])

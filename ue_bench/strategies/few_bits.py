"""The few-bit form of a pool, as training reads it and as it is served.

In training a pool holds floats w, which are read as the values of `packed_rows`:

    code(w) = floor(w / s) + 2^(b - 1), from 0 to 2^b - 1

The gradient passes straight through the rounding to w (Bengio et al., arXiv 1308.3432), also where
w is beyond the last value, where LSQ (Esser et al., ICLR 2020, arXiv 1902.08153) stops it. The step
s is learned with the weights, by the derivative of LSQ:

    d value / d s = value / s - w / s within the range of the codes, value / s beyond it

What is trained is log s, so that a step of the optimizer changes s by a share of itself, whatever
its size. Or s follows from the mean magnitude of the weights, such that the error of rounding
normally distributed weights is least (Max, IRE Transactions on Information Theory 6, 1960); for one
bit this is the scale of XNOR-Net (Rastegari et al., ECCV 2016, arXiv 1603.05279).
"""

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn

from ue_bench.strategies.packed_rows import PackedRows
from ue_bench.strategies.spec import Spec

# The step of least error for normal weights, in units of their mean magnitude, by bits. Max's table
# is in standard deviations (1.596, .9957, .586, .3352, .03083), of which the mean is .7979.
_BEST_STEPS = {1: 2.0, 2: 1.248, 3: 0.7344, 4: 0.4201, 8: 0.03864}
# Reads of a batch after which the mean magnitude of a large pool is taken anew.
_KEPT_FOR = 64


class FewBits(PackedRows):
    """Rounds the floats of a pool in training, and holds their codes afterwards.

    log_steps: of training, where steps are learned.

    ends: where each region of the pool ends, in rows; the whole pool is one if they are not given.
    """

    training_only: tuple[str, ...] = ()

    def __init__(self, rows: int, numbers: int, spec: Spec, ends: Sequence[int] = ()) -> None:
        format = spec.numbers
        parts: Sequence[int] | None = None
        if format.step == "region" and ends:
            parts = ends
        elif format.step != "row":
            parts = [rows]
        super().__init__(rows, numbers, format.bits, parts, spec.unfilled)
        self.format = format
        self._least_magnitude = spec.init_scale / 1000
        self.log_steps: nn.Parameter | None = None
        if format.rule == "learned":
            self.log_steps = nn.Parameter(torch.zeros_like(self.steps, dtype=torch.float32))
            self.training_only = ("log_steps",)
        self._epochs = 0
        self._kept_steps: Tensor | None = None
        self._n_reads = 0

    @property
    def rounds(self) -> bool:
        """Whether training reads rounded numbers by now."""
        return self._epochs >= self.format.warm_up

    def end_epoch(self, weight: Tensor) -> None:
        """Count an epoch. Learning the steps begins where the warm-up ends."""
        self._epochs += 1
        if self._epochs == self.format.warm_up:
            self.fit(weight)

    @torch.no_grad()
    def fit(self, weight: Tensor) -> None:
        """Start from the steps that suit the weights [rows, numbers] as they are."""
        self._kept_steps = None
        if self.log_steps is not None:
            self.log_steps.copy_(self._fitted(weight).log())

    @torch.no_grad()
    def fit_rows(self, weight: Tensor, rows: Tensor) -> None:
        """Start from the steps that suit int64 rows of `weight`, where rows have their own."""
        if not self.by_row:
            return
        self._kept_steps = None
        if self.log_steps is not None:
            self.log_steps[rows] = self._fitted(weight[rows]).log()

    def round_all(self, weight: Tensor) -> Tensor:
        """Return the whole pool as it is served: [rows, numbers]."""
        return self._round(weight, self.spread(self._steps(weight)))

    def round_rows(self, rows: Tensor, slots: Tensor, weight: Tensor) -> Tensor:
        """Return rows [..., numbers] of the pool `weight` as they are served."""
        steps = self.chosen(self._kept(weight), slots.flatten())
        return self._round(rows.view(-1, self.numbers), steps).view(rows.shape)

    def keep(self, weight: Tensor) -> None:
        """Keep the codes of the weights [rows, numbers], and their steps."""
        self.write(weight, self._steps(weight))

    def _round(self, weights: Tensor, steps: Tensor) -> Tensor:
        noise = None
        if self.format.rounding == "stochastic" and self.training:
            noise = torch.rand_like(weights)
        rounded: Tensor = _Rounded.apply(weights, steps, self.below_zero, noise)
        return rounded

    def _steps(self, weight: Tensor) -> Tensor:
        """Return the step of each part of the pool, outside of training as it is served."""
        if self.log_steps is not None and self.rounds:
            steps = self.log_steps.exp()
        else:
            with torch.no_grad():
                steps = self._fitted(weight)
        return steps if self.training else steps.to(self.steps.dtype).float()

    def _kept(self, weight: Tensor) -> Tensor:
        """Return `_steps`. The mean magnitude of a large pool is not taken for every batch."""
        is_learned = self.log_steps is not None and self.rounds
        if is_learned or not self.training:
            return self._steps(weight)
        if self._kept_steps is None or self._n_reads % _KEPT_FOR == 0:
            self._kept_steps = self._steps(weight)
        self._n_reads += 1
        return self._kept_steps

    def _fitted(self, weight: Tensor) -> Tensor:
        """Return the steps that follow from the mean magnitudes."""
        magnitudes = weight.detach().abs().mean(1)  # of each row
        if not self.by_row:
            parts = magnitudes.split(self.sizes())
            magnitudes = torch.stack([part.mean() for part in parts])
        return _BEST_STEPS[self.bits] * magnitudes.clamp_min(self._least_magnitude)


class _Rounded(torch.autograd.Function):
    """The values of codes, through which gradients reach weights and steps.

    steps: of a shape that spreads over the weights. noise: from 0 to 1, for stochastic rounding;
    None: to the nearest.
    """

    @staticmethod
    def forward(  # type: ignore[override]
        ctx: Any, weights: Tensor, steps: Tensor, below_zero: int, noise: Tensor | None
    ) -> Tensor:
        scaled = weights / steps
        codes = scaled.floor() if noise is None else (scaled + (noise - 0.5)).floor()
        values = codes.clamp_(-below_zero, below_zero - 1).add_(0.5).mul_(steps)
        ctx.save_for_backward(weights, steps, scaled, values)
        ctx.below_zero = below_zero
        return values

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> Any:  # type: ignore[override]
        of_steps = None
        if ctx.needs_input_grad[1]:
            weights, steps, scaled, values = ctx.saved_tensors
            # The weights within the range and 0 beyond it. A comparison and a product with its
            # answers say the same and take five times as long.
            least, most = -ctx.below_zero, ctx.below_zero
            within = torch.ops.aten.hardtanh_backward(weights, scaled, least, most)
            of_steps = (values - within).mul_(gradient).div_(steps)
            of_steps = of_steps.sum_to_size(steps.shape)
        return gradient, of_steps, None, None

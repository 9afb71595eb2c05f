"""A running average of a model's weights: what is evaluated and served instead of the last step.

    A_n = sum over k of w_k theta_k,  w_k = (1 - d) d^(n - k) / (1 - d^n),  k = 1 ... n

where theta_k are the weights at the k-th update. The division is Adam's correction for a start at
zero, so that the weights w_k add up to 1 from the first update on. A constant learning rate leaves
each weight in noise around where the loss would bring it, and the average removes most of it
(Polyak and Juditsky, SIAM J. Control Optim. 30, 1992).

An update reads and writes every weight. The trainer therefore makes a few updates an epoch, not one
a step, and a large table of which a step touches few rows stays cheap.
"""

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import nn


class WeightAverage:
    """An exponentially weighted average of all parameters of a model.

    decay: what one update leaves of the weight of the updates before it, from 0 to below 1.
    """

    def __init__(self, model: nn.Module, decay: float) -> None:
        self._parameters = list(model.parameters())
        self._averages: list[torch.Tensor] = []
        self._decay = decay
        self._n_updates = 0

    @torch.no_grad()
    def update(self) -> None:
        """Take the weights as they are now into the average."""
        weights = [weight.detach() for weight in self._parameters]
        self._n_updates += 1
        if not self._averages:
            self._averages = [weight.clone() for weight in weights]
            return
        share = (1 - self._decay) / (1 - self._decay**self._n_updates)
        torch._foreach_lerp_(self._averages, weights, share)

    def restart(self) -> None:
        """Forget the weights so far, which do not describe the model any more."""
        self._averages = []
        self._n_updates = 0

    @contextmanager
    def in_place(self) -> Iterator[None]:
        """Give the model its averaged weights for a while. Nothing is copied.

        Before the first update the model keeps its own weights.
        """
        self._exchange()
        try:
            yield
        finally:
            self._exchange()

    def take_place(self) -> None:
        """Give the model its averaged weights for good, without a copy, and keep none."""
        self._exchange()
        self.restart()

    def _exchange(self) -> None:
        for position, average in enumerate(self._averages):
            weight = self._parameters[position]
            self._averages[position] = weight.data
            weight.data = average

    def n_bytes(self) -> int:
        """Return the bytes that the average takes beside the model."""
        return sum(average.nbytes for average in self._averages)

"""Adam for the parameters that every step moves as a whole, such as a head's.

The rule and its kernel are those of torch.optim.Adam and AdamW with `fused=True`, and so are the
results, to the bit. What torch's classes do around the kernel takes longer than the kernel on small
models: they sort the parameters anew in each step, and count the steps of each one apart.
"""

from collections.abc import Iterable

import torch
from torch import Tensor
from torch.nn import Parameter

BETAS = (0.9, 0.999)
EPS = 1e-8


class DenseAdam:
    """Adam of Kingma and Ba, ICLR 2015 (arXiv 1412.6980), with the constants of its paper.

    A parameter without a gradient keeps its value, its moments and its number of steps.

    decoupled: whether the weight decay is that of AdamW (Loshchilov and Hutter, ICLR 2019).
    state: as torch's optimizers keep it: the steps [] and the two moments of each parameter.
    kept_by_row: what of it is of the rows of a parameter; 0 where no step moved a row.
    """

    kept_by_row = ("exp_avg", "exp_avg_sq")

    def __init__(
        self,
        weights: Iterable[Parameter],
        lr: float,
        weight_decay: float = 0.0,
        decoupled: bool = False,
    ) -> None:
        self._lr = lr
        self._weight_decay = weight_decay
        self._kernel = torch._fused_adamw_ if decoupled else torch._fused_adam_
        self.state: dict[Parameter, dict[str, Tensor]] = {}
        # The kernel takes parameters of one device and one type at a time. The steps of all of
        # them are one tensor, so that one addition counts them, and the kernel reads its parts.
        self._groups: list[tuple[list[Parameter], Tensor]] = []
        alike: dict[tuple[torch.device, torch.dtype], list[Parameter]] = {}
        for weight in weights:
            alike.setdefault((weight.device, weight.dtype), []).append(weight)
        for (device, _), members in alike.items():
            steps = torch.zeros(len(members), device=device)
            self._groups.append((members, steps))
            for weight, step in zip(members, steps.unbind(), strict=True):
                self.state[weight] = {
                    "step": step,
                    "exp_avg": torch.zeros_like(weight),
                    "exp_avg_sq": torch.zeros_like(weight),
                }

    def zero_grad(self) -> None:
        """Drop all gradients."""
        for weight in self.state:
            weight.grad = None

    @torch.no_grad()
    def step(self) -> None:
        """Move every parameter that has a gradient."""
        for members, steps in self._groups:
            weights: list[Tensor] = []
            gradients: list[Tensor] = []
            states: list[dict[str, Tensor]] = []
            for weight in members:
                if weight.grad is not None:
                    weights.append(weight)
                    gradients.append(weight.grad)
                    states.append(self.state[weight])
            if len(weights) == len(members):
                steps.add_(1)
            else:
                for state in states:
                    state["step"].add_(1)
            self._kernel(
                weights,
                gradients,
                [state["exp_avg"] for state in states],
                [state["exp_avg_sq"] for state in states],
                [],
                [state["step"] for state in states],
                lr=self._lr,
                beta1=BETAS[0],
                beta2=BETAS[1],
                weight_decay=self._weight_decay,
                eps=EPS,
                amsgrad=False,
                maximize=False,
            )

"""The initial values of a table, drawn the same way for a run's pools and for layers."""

from torch import Tensor, nn


def draw(weight: Tensor, init: str, scale: float) -> None:
    """Fill `weight` in place from torch's global generator.

    init: `normal` or `uniform`. scale: the deviation of the normal, or half the width of the
    uniform, around 0.
    """
    if init == "normal":
        nn.init.normal_(weight, std=scale)
    else:
        nn.init.uniform_(weight, -scale, scale)

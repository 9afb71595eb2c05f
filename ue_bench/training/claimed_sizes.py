"""What a saved model claims to be, against the numbers that its folder holds.

`config.json` is a few kilobytes and can claim a table of any size. These checks come before
anything of that size is built.
"""

from collections.abc import Iterator, Mapping
from pathlib import Path

import torch
from torch import Tensor

from ue_bench.config import RunConfig
from ue_bench.errors import BenchError
from ue_bench.strategies import Spec
from ue_bench.strategies.budget import well_used
from ue_bench.training.assembly import has_budget
from ue_bench.training.model import HEADS
from ue_bench.training.model_folder import CONFIG


def require_claimed(
    path: Path, config: RunConfig, spec: Spec, tensors: Mapping[str, Tensor]
) -> None:
    """Raise BenchError unless the file has as many numbers as the configuration claims.

    The head has one number for each pair of its inputs and outputs, so that it bounds `dim`,
    `lookups` and `hidden`. A strategy with a budget serves 90 % to 100 % of it.

    path: of the file with the tensors.
    """
    width = sum(spec.lookups) * spec.dim
    claimed = HEADS[config.head].count(width, config.hidden)
    held = sum(tensor.numel() for tensor in _of("head", tensors))
    if held != claimed:
        raise BenchError(
            f"{path} does not fit {CONFIG}: a {config.head} head of {width:,} inputs and "
            f"{config.hidden:,} hidden units has {claimed:,} numbers, and the file holds {held:,}; "
            "save the model again"
        )
    if config.budget is None or not has_budget(config):
        return
    n_bytes = sum(tensor.nbytes for tensor in _of("strategy", tensors))
    if not well_used(n_bytes, config.budget):
        raise BenchError(
            f"{path} does not fit {CONFIG}: strategy {config.strategy!r} serves 90 % to 100 % of "
            f"its budget of {config.budget:,} bytes, and the file holds {n_bytes:,}; "
            "save the model again"
        )


def shapes(tensors: Mapping[str, Tensor]) -> dict[str, tuple[torch.dtype, torch.Size]]:
    """Return the type and shape of each tensor by name."""
    return {name: (tensor.dtype, tensor.shape) for name, tensor in tensors.items()}


def _of(part: str, tensors: Mapping[str, Tensor]) -> Iterator[Tensor]:
    """Yield the tensors of a part of the model."""
    for name, tensor in tensors.items():
        if name.startswith(f"{part}."):
            yield tensor

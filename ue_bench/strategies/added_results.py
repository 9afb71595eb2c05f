"""Checks of what the `locate` and `embed` of an added strategy return.

Much that is wrong trains: torch broadcasts vectors of one row to a batch, and reads a negative slot
from the end of a table. What does not train fails far from its cause, in the code of this package.
"""

from typing import Any

import torch
from torch import Tensor, nn

from ue_bench.errors import BenchError


def require_slots(where: str, feature: str, n_values: int, slots: Any) -> None:
    """Raise BenchError unless `slots` are those of so many values of a feature.

    where: the strategy and its class, for the message.
    """
    is_table = isinstance(slots, Tensor) and slots.dim() == 2 and len(slots) == n_values
    # of no values the type is free: torch makes floats of an empty list
    if not is_table or (n_values and slots.dtype != torch.int64):
        raise BenchError(
            f"{where}: locate returned {_kind(slots)} for {n_values} values of feature {feature}; "
            f"it must return a tensor of int64 and shape [{n_values}, slots of a value]"
        )
    if slots.numel() and int(slots.min()) < 0:
        raise BenchError(
            f"{where}: locate returned slot {int(slots.min())} for a value of feature {feature}; "
            "slots count from 0"
        )


def require_slots_alike(where: str, feature: str, n_slots: int, slots: Tensor) -> None:
    """Raise BenchError unless values of a feature have as many slots as others of it."""
    if slots.shape[1] != n_slots:
        raise BenchError(
            f"{where}: locate returned {slots.shape[1]} slots a value for {len(slots)} values of "
            f"feature {feature}, and {n_slots} for none; every value of a feature must have as many"
        )


def require_vectors(where: str, module: nn.Module, rows: int, width: int, vectors: Any) -> None:
    """Raise BenchError unless `vectors` are those of so many rows.

    where: as in `require_slots`. module: the strategy, whose parameters may have been converted.
    """
    is_whole = isinstance(vectors, Tensor) and vectors.shape == (rows, width)
    if is_whole and (vectors.dtype == torch.float32 or _is_converted(module, vectors.dtype)):
        return
    raise BenchError(
        f"{where}: embed returned {_kind(vectors)} for slots of {rows} rows; it must return a "
        f"tensor of float32 and shape [{rows}, {width}], where {width} is the sum of widths"
    )


def _is_converted(module: nn.Module, dtype: torch.dtype) -> bool:
    """Return whether vectors may have this type, since a program converted what they come from."""
    if not dtype.is_floating_point:
        return False
    if torch.is_autocast_enabled() or torch.is_autocast_enabled("cpu"):
        return True
    return any(tensor.dtype == dtype for tensor in (*module.parameters(), *module.buffers()))


def _kind(value: Any) -> str:
    """Return what a value is, in words."""
    if value is None:
        return "None"
    if isinstance(value, Tensor):
        dtype = str(value.dtype).removeprefix("torch.")
        return f"a tensor of {dtype} and shape {list(value.shape)}"
    return f"a value of type {type(value).__name__}"

"""The targets that a program gives with rows."""

from typing import Any

import numpy as np
import torch
from torch import Tensor

from ue_bench.errors import BenchError


def row_targets(where: str, given: Any, n_rows: int) -> Tensor:
    """Return the targets of rows: float32 [rows].

    where: what the targets are of, as an error names it.

    Raises BenchError unless they are one finite number for each row. A missing one is none: numpy
    makes NaN of it, and a loss of NaN would end all training.
    """
    try:
        with np.errstate(over="ignore"):  # what is beyond 32 bits is infinite, and refused below
            targets = torch.from_numpy(np.array(given, np.float32))
    except (TypeError, ValueError) as error:
        raise BenchError(f"{where}: {error}; give numbers, one for each row") from error
    if targets.shape != (n_rows,):
        raise BenchError(
            f"{where}: targets of shape {list(targets.shape)} were given for {n_rows} rows; give "
            "one finite number for each"
        )
    wrong = (~targets.isfinite()).nonzero().flatten()
    if len(wrong):
        raise BenchError(
            f"{where}: the target of row {int(wrong[0]) + 1} is missing or not finite; give one "
            "finite number for each row"
        )
    return targets

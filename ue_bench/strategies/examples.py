"""Columns of raw values, and targets, from a batch of examples as a torch DataLoader has it."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor

from ue_bench.errors import BenchError

FORMS = "give mappings from column to value, or pairs of such a mapping and a target"


def split_examples(examples: Sequence[Any]) -> tuple[list[Mapping[str, Any]], Tensor | None]:
    """Return the rows of examples, and their targets, float32 [B, ...], or None without targets.

    examples: B mappings from column to value, or B pairs of a mapping and a target.
    Raises BenchError for other examples.
    """
    if not examples:
        raise BenchError(f"collate: no examples were given; {FORMS}")
    if isinstance(examples[0], Mapping):
        _require_mappings(examples)
        return list(examples), None
    rows = []
    targets = []
    for example in examples:
        if not isinstance(example, (tuple, list)) or len(example) != 2:
            raise BenchError(f"collate: an example is one {type(example).__name__}; {FORMS}")
        row, target = example
        rows.append(row)
        targets.append(target)
    _require_mappings(rows)
    try:
        return rows, torch.from_numpy(np.asarray(targets, np.float32))
    except (TypeError, ValueError) as error:
        raise BenchError(f"collate: a target is no number ({error}); {FORMS}") from error


def _require_mappings(rows: Sequence[Any]) -> None:
    for row in rows:
        if not isinstance(row, Mapping):
            raise BenchError(f"collate: a row is one {type(row).__name__}; {FORMS}")

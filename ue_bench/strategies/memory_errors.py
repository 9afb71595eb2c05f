"""Failed allocations as MemoryError, which is a want of memory and no fault of any code."""

from collections.abc import Iterator
from contextlib import contextmanager

import torch

from ue_bench.errors import first_line

_FAILED_ALLOCATIONS = ("DefaultCPUAllocator", "Storage size calculation overflowed")


@contextmanager
def memory_errors() -> Iterator[None]:
    """Raise MemoryError for a failed allocation.

    Torch raises a plain RuntimeError for one on the CPU, and for bytes beyond 64 bits.
    """
    try:
        yield
    except RuntimeError as error:
        message = first_line(error)
        failed = any(words in message for words in _FAILED_ALLOCATIONS)
        if failed or isinstance(error, torch.OutOfMemoryError):
            raise MemoryError(message) from error
        raise

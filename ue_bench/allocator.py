"""Keep freed memory in the process.

Torch's tensors on the CPU come from malloc. That of glibc gives every block above some 128 kB back to the kernel when it is
freed, and the next step faults it in anew: a third of the time of a full-batch step.
"""

import ctypes
import platform

_TRIM_THRESHOLD, _MMAP_THRESHOLD = -1, -3  # numbers of glibc's malloc.h
_KEEP = 1 << 30  # bytes


def keep_freed_memory() -> None:
    """Raise glibc's thresholds for the whole process. Elsewhere: nothing."""
    if platform.libc_ver()[0] == "glibc":
        libc = ctypes.CDLL(None)
        libc.mallopt(_MMAP_THRESHOLD, _KEEP)
        libc.mallopt(_TRIM_THRESHOLD, _KEEP)

"""Keep freed memory in the process, and hold large tables in large pages.

Torch's tensors on the CPU come from malloc. That of glibc gives every block above some 128 kB back to the kernel when it is
freed, and the next step faults it in anew: a third of the time of a full-batch step. In pages of 4 kB nearly every row of a large
table is one more page for the processor to look up: a fifth of a step at ten million rows.
"""

import ctypes
import platform

_TRIM_THRESHOLD, _MMAP_THRESHOLD = -1, -3  # numbers of glibc's malloc.h
_KEEP = 1 << 30  # bytes
_MADV_HUGEPAGE = 14  # of Linux' mman.h
_PAGE = 1 << 21  # bytes of a large page


def keep_freed_memory() -> None:
    """Raise glibc's thresholds for the whole process. Elsewhere: nothing."""
    if platform.libc_ver()[0] == "glibc":
        libc = ctypes.CDLL(None)
        libc.mallopt(_MMAP_THRESHOLD, _KEEP)
        libc.mallopt(_TRIM_THRESHOLD, _KEEP)


def in_large_pages(address: int, n_bytes: int) -> None:
    """Ask Linux for large pages for memory that nothing was written to yet, as far as it holds whole ones. Elsewhere: nothing."""
    first, end = -(-address // _PAGE) * _PAGE, (address + n_bytes) // _PAGE * _PAGE
    if platform.system() == "Linux" and first < end:
        advise = ctypes.CDLL(None).madvise
        advise.argtypes = (ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int)
        advise(
            first, end - first, _MADV_HUGEPAGE
        )  # a kernel without them refuses, and the pages stay small

"""Keep freed memory in the process, and hold large tables in large pages.

On a CPU, torch's tensors come from malloc. glibc's malloc returns every block above about 128 kB
to the kernel when it is freed, and the next step faults it in again: a third of the time of a
full-batch step. With pages of 4 kB, nearly every row of a large table is one more page for the
processor to look up: a fifth of a step at ten million rows.
"""

import ctypes
import platform

# numbers of glibc's malloc.h
_TRIM_THRESHOLD = -1
_MMAP_THRESHOLD = -3
_KEEP = 1 << 30  # bytes
_MADV_HUGEPAGE = 14  # of Linux' mman.h
_PAGE = 1 << 21  # bytes of a large page


def keep_freed_memory() -> None:
    """Raise glibc's thresholds for the whole process. Does nothing with another C library."""
    if platform.libc_ver()[0] == "glibc":
        libc = ctypes.CDLL(None)
        libc.mallopt(_MMAP_THRESHOLD, _KEEP)
        libc.mallopt(_TRIM_THRESHOLD, _KEEP)


def in_large_pages(address: int, n_bytes: int) -> None:
    """Ask Linux for large pages for the whole large pages within a memory area.

    Nothing may have been written to the area yet. Does nothing on other systems.
    """
    first = -(-address // _PAGE) * _PAGE
    end = (address + n_bytes) // _PAGE * _PAGE
    if platform.system() == "Linux" and first < end:
        advise = ctypes.CDLL(None).madvise
        advise.argtypes = (ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int)
        # a kernel without large pages refuses, and the pages stay small
        advise(first, end - first, _MADV_HUGEPAGE)

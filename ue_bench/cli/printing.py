"""Standard output that is closed, takes nothing, or lacks letters."""

import errno
import io
import os
import sys
from traceback import extract_tb
from typing import TypeGuard

import click

NO_OUTPUT = (errno.ENOSPC, errno.EIO, errno.EBADF, errno.EFBIG)  # of a file that takes nothing


def print_all_letters() -> None:
    """Print letters that the encoding of the output lacks as escapes, not as an error.

    What was started with a closed output prints nowhere, and its next file does not take the place
    of that.
    """
    for name in ("stdout", "stderr"):
        if getattr(sys, name) is None:
            setattr(sys, name, io.TextIOWrapper(io.FileIO(os.devnull, "w"), encoding="utf-8"))
    if isinstance(sys.stdout, io.TextIOWrapper) and sys.stdout.errors == "strict":
        sys.stdout.reconfigure(errors="backslashreplace")


def could_not_print(error: BaseException) -> TypeGuard[OSError]:
    """Return whether standard output refused what a command printed."""
    if not isinstance(error, OSError) or error.errno not in NO_OUTPUT:
        return False
    return extract_tb(error.__traceback__)[-1].filename == click.utils.__file__


def print_no_more() -> None:
    """Let go what is still to be printed: Python would fail with it once more at its end."""
    with open(os.devnull, "wb") as nothing:
        os.dup2(nothing.fileno(), sys.stdout.fileno())

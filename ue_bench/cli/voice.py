"""Which process of a run speaks: all processes of one run meet the same errors, and one line says
what is wrong."""

import atexit
import os
import sys
from typing import TYPE_CHECKING

import click

from ue_bench.errors import BenchError
from ue_bench.training.launched import RANK, Place, place

if TYPE_CHECKING:
    from ue_bench.training.process_ranks import Ranks

_met: list["Ranks"] = []  # the processes that this one has joined: one set or none
_codes: list[int] = []  # the exit code of a process that has nothing more to do


class Silent(click.ClickException):
    """Bad input that another process of the run reports."""

    exit_code = 2

    def __init__(self) -> None:
        super().__init__("another process of the run reports it")

    def show(self, file: object = None) -> None:
        """Print nothing."""


def join_others(device: str, here: Place) -> "Ranks":
    """Meet the other processes of a run, if there are any.

    device: of the run. Raises BenchError where they do not come.
    """
    if here.count == 1:
        from ue_bench.training.process_ranks import ALONE

        return ALONE
    from ue_bench.training.process_group import join

    _met[:] = [join(here, device)]
    atexit.register(_leave)
    return _met[0]


def leave_with(code: int) -> None:
    """Say with which exit code this process ends, before others have been told that it does."""
    _codes[:] = [code]


def _leave() -> None:
    """End at once: older releases of torch abort a process whose partners have gone when they take
    down its connections."""
    if _codes:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(_codes[0])


def speaks(error: BaseException, command: str | None) -> bool:
    """Return whether this process is to report an error of a command.

    Until the processes of a run have met, each has read the same command line and the first
    speaks. From then on the one that fails first does.
    """
    if command != "run" or RANK not in os.environ:
        return True
    if _met:
        return _met[0].speaks(error)
    try:
        return place().rank == 0
    except BenchError:  # no place; the error says so
        return True

"""Which of the processes of one run this is, from the variables that torchrun and others set.

A launcher starts a program once for each process and sets RANK (the number of the process, from 0
on), WORLD_SIZE (how many there are) and LOCAL_RANK (its number on its own machine).
"""

import os
from dataclasses import dataclass

from ue_bench.errors import BenchError

RANK = "RANK"
WORLD_SIZE = "WORLD_SIZE"
LOCAL_RANK = "LOCAL_RANK"


@dataclass(frozen=True)
class Place:
    """The place of a process among those of its run.

    rank: from 0 on. count: how many processes there are. local_rank: its number on its machine.
    """

    rank: int = 0
    count: int = 1
    local_rank: int = 0


def place() -> Place:
    """Return the place of this process. Without RANK and WORLD_SIZE the run has one process.

    Raises BenchError for variables that name no place.
    """
    if RANK not in os.environ or WORLD_SIZE not in os.environ:
        return Place()
    count = _whole_number(WORLD_SIZE, os.environ[WORLD_SIZE], least=1)
    rank = _whole_number(RANK, os.environ[RANK], least=0)
    local_rank = _whole_number(LOCAL_RANK, os.environ.get(LOCAL_RANK, str(rank)), least=0)
    if rank >= count:
        raise BenchError(
            f"{RANK}: {rank} is set with {WORLD_SIZE} {count}; it must be from 0 to {count - 1}; "
            "start the processes by torchrun, or unset both"
        )
    return Place(rank, count, local_rank)


def _whole_number(name: str, text: str, least: int) -> int:
    if not text.isascii() or not text.isdigit() or int(text) < least:
        raise BenchError(
            f"{name}: {text!r} is set; it must be a whole number from {least} on; start the "
            "processes by torchrun, or unset it"
        )
    return int(text)

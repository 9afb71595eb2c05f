"""What the processes of one run do together. One process alone does nothing here.

Training is data-parallel: every process holds the whole model and takes a part of the rows of each
batch. The gradients of all parts are added up before every process takes the same step, so that the
models stay equal, and are those of one process with the whole batch.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TypeVar

from torch import Tensor

Result = TypeVar("Result")


class Ranks:
    """The processes of one run, seen from one of them; this class is a process alone.

    rank: the number of this process, from 0 on. count: how many there are.
    """

    rank = 0
    count = 1

    @property
    def is_first(self) -> bool:
        """Whether this process measures, prints and writes."""
        return self.rank == 0

    def part(self, n: int) -> slice:
        """Return which of `n` rows are this process's. The slice may be empty."""
        return slice(n * self.rank // self.count, n * (self.rank + 1) // self.count)

    def share(self, n: int) -> tuple[slice, float]:
        """Return which rows of a batch of `n` this process takes, and their share of the batch.

        A process that gets none reads the first row with a share of 0, so that every process takes
        every step.
        """
        rows = self.part(n)
        if rows.start == rows.stop:
            return slice(0, 1), 0.0
        return rows, (rows.stop - rows.start) / n

    def seed(self, seed: int) -> int:
        """Return the seed of what this process draws for its rows, such as dropout.

        seed: of the run, below 2**32.
        """
        return seed + (self.rank << 32)

    @contextmanager
    def drawing_alike(self, seed: int) -> Iterator[None]:
        """Let all processes draw the same numbers from torch's global generators for a while."""
        yield

    def add_up(self, tensors: list[Tensor]) -> None:
        """Replace each tensor by its sum over all processes, in place."""

    def gathered(self, *tensors: Tensor) -> tuple[Tensor, ...]:
        """Return the tensors of all processes, one after the other along the first dimension.

        tensors: as long as each other. Other processes may give another length.
        """
        return tensors

    def take_from_first(self, tensors: list[Tensor]) -> None:
        """Replace each tensor by that of the first process, in place."""

    def in_turn(self, make: Callable[[], Result]) -> Result:
        """Return what `make` returns. The first process of each machine calls it first."""
        return make()

    def speaks(self, error: BaseException) -> bool:
        """Return whether this process is to report its error. Each one may ask once."""
        return True

    def end(self) -> None:
        """Leave the others. Nothing is done together afterwards."""


ALONE = Ranks()

"""Several processes that train one model: torch.distributed, with gloo on CPUs and NCCL on GPUs."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta

import torch
import torch.distributed as dist
from torch import Tensor
from torch._utils import _flatten_dense_tensors, _unflatten_dense_tensors

from ue_bench.errors import BenchError
from ue_bench.training.devices import require_device
from ue_bench.training.launched import Place
from ue_bench.training.process_ranks import Ranks, Result

MEETING = timedelta(minutes=10)  # in which all processes have to start
# The longest time that one process waits for another, which may read a large data set first. One
# that has ended is noticed at once.
PATIENCE = timedelta(hours=12)
FATE_SECONDS = 5.0  # until a process that has failed has said so
_FATE = "failed"  # a key of the store
_ALIKE = 2**40  # beyond the seeds of what each process draws for its own rows


class LostProcess(BenchError):
    """Another process of the run has ended, so that this one cannot go on."""


class ProcessGroup(Ranks):
    """The processes of one run, each of which has called `join`."""

    def __init__(self, place: Place, store: dist.Store, device: torch.device) -> None:
        self.rank = place.rank
        self.count = place.count
        self._local_rank = place.local_rank
        self._store = dist.PrefixStore("ue_bench_fate", store)
        self._device = device

    @contextmanager
    def drawing_alike(self, seed: int) -> Iterator[None]:
        devices = [self._device] if self._device.type == "cuda" else []
        with torch.random.fork_rng(devices=devices):
            torch.manual_seed(_ALIKE + seed)
            yield

    def add_up(self, tensors: list[Tensor]) -> None:
        if not tensors:
            return
        flat = _flatten_dense_tensors(tensors)  # one exchange costs less than one for each
        with _noticing_loss():
            dist.all_reduce(flat)
        for tensor, total in zip(tensors, _unflatten_dense_tensors(flat, tensors), strict=True):
            tensor.copy_(total)

    def gathered(self, *tensors: Tensor) -> tuple[Tensor, ...]:
        length = torch.tensor([len(tensors[0])], device=self._device)
        lengths = [int(each) for each in self._gather(length)]
        longest = max(lengths)
        together = []
        for tensor in tensors:
            padded = tensor.new_zeros(longest, *tensor.shape[1:])
            padded[: len(tensor)] = tensor
            parts = self._gather(padded)
            kept = [part[:n] for part, n in zip(parts, lengths, strict=True)]
            together.append(torch.cat(kept))
        return tuple(together)

    def _gather(self, tensor: Tensor) -> list[Tensor]:
        parts = [torch.empty_like(tensor) for _ in range(self.count)]
        with _noticing_loss():
            dist.all_gather(parts, tensor)
        return parts

    def take_from_first(self, tensors: list[Tensor]) -> None:
        with _noticing_loss(), torch.no_grad():
            for tensor in tensors:
                dist.broadcast(tensor.detach(), src=0)

    def in_turn(self, make: Callable[[], Result]) -> Result:
        if self._local_rank == 0:
            made = make()
        self._wait_for_all()
        if self._local_rank != 0:
            made = make()
        return made

    def _wait_for_all(self) -> None:
        """Return once every process has called this."""
        together = [torch.zeros(1, device=self._device)]
        self.add_up(together)
        together[0].item()  # a GPU only notes what it is to do

    def end(self) -> None:
        self._wait_for_all()
        dist.destroy_process_group()

    def speaks(self, error: BaseException) -> bool:
        # The first that fails reports. One that has lost another waits for that one, and reports
        # the loss where nothing comes.
        try:
            if isinstance(error, LostProcess):
                self._await_fate()
            return bool(self._store.add(_FATE, 1) == 1)
        except RuntimeError:  # the first process, which held the store, has ended and has reported
            return False

    def _await_fate(self) -> None:
        until = time.monotonic() + FATE_SECONDS
        while time.monotonic() < until and not self._store.check([_FATE]):
            time.sleep(0.05)


def join(place: Place, device: str) -> ProcessGroup:
    """Meet the other processes of the run. Each calls this once.

    device: of the run. On GPUs each process of a machine takes the GPU of its number there.

    Raises BenchError where the others do not come, or a process has no GPU.
    """
    kind = require_device(device)
    if kind.type == "cuda":
        if kind.index is not None:
            raise BenchError(
                f"device: {device!r} was given to {place.count} processes, which need a GPU each; "
                "give cuda"
            )
        require_device(f"cuda:{place.local_rank}")
        torch.cuda.set_device(place.local_rank)
    try:
        store, rank, count = next(dist.rendezvous("env://", timeout=MEETING))
        dist.init_process_group(
            "nccl" if kind.type == "cuda" else "gloo",
            store=dist.PrefixStore("ue_bench_run", store),
            rank=rank,
            world_size=count,
            timeout=PATIENCE,
        )
    except (RuntimeError, ValueError) as error:
        address = f"{os.environ.get('MASTER_ADDR')}:{os.environ.get('MASTER_PORT')}"
        raise BenchError(
            f"process {place.rank} of {place.count} did not meet the others at {address} "
            f"(MASTER_ADDR and MASTER_PORT): {str(error).splitlines()[0]}; start the processes by "
            "torchrun"
        ) from error
    return ProcessGroup(place, store, kind)


@contextmanager
def _noticing_loss() -> Iterator[None]:
    try:
        yield
    except RuntimeError as error:
        raise LostProcess(
            "another process of this run has ended without a message (killed for memory?); start "
            "all of them again"
        ) from error

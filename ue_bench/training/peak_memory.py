"""By how much memory grows inside a `with`: the allocator's counter on CUDA, the resident memory of
the process on a CPU."""

import resource
import sys
from pathlib import Path

import torch

_STATUS = Path("/proc/self/status")


class PeakMemory:
    """Bytes by which memory grew at its peak inside a ``with``: `n_bytes`, read from `source`."""

    def __init__(self, device: torch.device) -> None:
        self.device = device
        self.n_bytes = 0
        if device.type == "cuda":
            self.source = "CUDA allocator, peak"
        else:
            self.source = "resident memory of the process, growth at its peak"

    def __enter__(self) -> "PeakMemory":
        _load_optimizer_code()
        if self.device.type == "cuda":
            torch.cuda.reset_peak_memory_stats(self.device)
            self._before = torch.cuda.memory_allocated(self.device)
        else:
            _reset_peak()
            self._before = _resident_bytes()
        return self

    def __exit__(self, *_: object) -> None:
        if self.device.type == "cuda":
            peak = torch.cuda.max_memory_allocated(self.device)
        else:
            peak = _peak_bytes()
        self.n_bytes = max(0, peak - self._before)


def _load_optimizer_code() -> None:
    """Take an optimizer step: torch loads some 90 MB of code at the first one of a process.

    They are no memory of the model that is measured.
    """
    scratch = torch.nn.Parameter(torch.zeros(1))
    scratch.square().sum().backward()
    torch.optim.Adam([scratch]).step()


def _status_bytes(name: str) -> int:
    for line in _STATUS.read_text().splitlines():
        if line.startswith(name):
            return int(line.split()[1]) * 1024  # the kernel writes kB and means KiB
    raise LookupError(f"{_STATUS} has no {name}")


def _reset_peak() -> None:
    if _STATUS.exists():
        Path("/proc/self/clear_refs").write_text("5")  # sets VmHWM to what is resident now


def _resident_bytes() -> int:
    if _STATUS.exists():
        return _status_bytes("VmRSS")
    return _peak_bytes()


def _peak_bytes() -> int:
    if _STATUS.exists():
        return _status_bytes("VmHWM")
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    if sys.platform == "darwin":
        return peak
    return peak * 1024  # Linux counts KiB, macOS bytes

"""The device that a run asks for."""

import torch

from ue_bench.errors import BenchError


def require_device(name: str) -> torch.device:
    """Return the device of a name. Raises BenchError for one that this machine does not have."""
    try:
        device = torch.device(name)
    except RuntimeError as error:
        raise BenchError(f"device: {name!r} was given; choose cpu or cuda") from error
    if device.type not in ("cpu", "cuda"):
        raise BenchError(f"device: {name!r} was given; choose cpu or cuda")
    if device.type == "cuda":
        _require_cuda(name, device.index or 0)
    return device


def gpu_name(device: torch.device) -> str | None:
    """Return the name of the GPU; None for the CPU."""
    if device.type != "cuda":
        return None
    return torch.cuda.get_device_name(device)


def _require_cuda(name: str, index: int) -> None:
    if not torch.cuda.is_available():
        raise BenchError(
            "device: 'cuda' was given and this machine has no usable CUDA device; choose cpu"
        )
    count = torch.cuda.device_count()
    if index >= count:
        raise BenchError(
            f"device: {name!r} was given and this machine has {count} CUDA devices, from cuda:0 on"
        )

"""Reading a file, with an error of one line where the system refuses."""

from pathlib import Path

from ue_bench.errors import BenchError


def reason_of(error: Exception) -> str:
    """Return what the system says about a failure, without its number and file name."""
    return getattr(error, "strerror", None) or str(error)


def cannot_read(path: Path | str, error: Exception) -> BenchError:
    """Return the error for a file that cannot be read."""
    return BenchError(f"cannot read {path}: {reason_of(error)}")


def read_bytes(path: Path) -> bytes:
    """Return the content of a file. Raises BenchError when it cannot be read."""
    try:
        return path.read_bytes()
    except OSError as error:
        raise cannot_read(path, error) from error

"""The construction of an added strategy: whatever goes wrong in it is an error of its file."""

from collections.abc import Iterator
from contextlib import contextmanager
from inspect import Signature, signature
from typing import Any

from ue_bench.errors import BenchError, first_line
from ue_bench.plugins import raised_in
from ue_bench.strategies.base import EmbeddingStrategy
from ue_bench.strategies.memory_errors import memory_errors
from ue_bench.strategies.registry import files_of
from ue_bench.strategies.spec import Spec

# What the package calls of a strategy, and its class may override.
HOOKS = (
    "locate",
    "embed",
    "hashed_rows",
    "to_serve",
    "end_epoch",
    "observe",
    "live_rows",
    "check_served",
    "end_training",
)


@contextmanager
def errors_of(name: str) -> Iterator[None]:
    """Raise BenchError for an exception in the construction of an added strategy.

    It has the file and the line that raised it. Too little memory is no fault of the code.
    """
    try:
        with memory_errors():
            yield
    except (BenchError, MemoryError):
        raise
    except Exception as error:
        files = files_of(name)
        raised = raised_in(error, files)
        text = str(raised)
        if raised is None:  # as where a class lacks a method, which its file does not raise
            words = [path.name for path in files[:1]]
            text = ": ".join(filter(None, (*words, type(error).__name__, first_line(error))))
        raise BenchError(f"{name}: it cannot be built: {text}; mend the file") from error


def construct(method: type[EmbeddingStrategy], spec: Spec) -> EmbeddingStrategy:
    """Return an added strategy, whose results are checked from here on.

    Raises BenchError for one that is no strategy once it is built: without the constructor of its
    base class, with odd widths or with methods that take other arguments.
    """
    strategy = method(spec)
    where = f"{spec.name} ({method.__name__})"
    if not isinstance(vars(strategy).get("spec"), Spec):
        raise BenchError(
            f"{where}: __init__ leaves out that of EmbeddingStrategy; begin it with "
            "super().__init__(spec)"
        )
    widths = strategy.widths
    whole = isinstance(widths, (tuple, list)) and all(type(width) is int for width in widths)
    if not whole or len(widths) != len(spec.features) or min(widths, default=1) < 1:
        raise BenchError(
            f"{where}: widths is {widths!r}; it must be a tuple with the numbers of each of the "
            f"{len(spec.features)} features"
        )
    for hook in HOOKS:
        _require_signature(where, strategy, hook)
    strategy.is_added = True
    return strategy


def _require_signature(where: str, strategy: EmbeddingStrategy, hook: str) -> None:
    """Raise BenchError for a method that cannot be called as the package calls it."""
    _, *expected = signature(getattr(EmbeddingStrategy, hook)).parameters
    taken = _signature_of(getattr(strategy, hook))
    try:
        taken.bind(*expected)
    except TypeError:
        raise BenchError(
            f"{where}: {hook} takes {taken}; it must take ({', '.join(expected)})"
        ) from None


def _signature_of(method: Any) -> Signature:
    """Return the signature of a method; that of any arguments where Python does not know it."""
    try:
        return signature(method)
    except ValueError:
        return signature(lambda *args: None)

"""Sizes and times as people write them: 28032, 28kB, 1.5MiB; 200us, 0.2ms."""

import re
from fractions import Fraction

from ue_bench.errors import BenchError

BYTES = {
    "": 1,
    "b": 1,
    "kb": 1000,
    "mb": 1000**2,
    "gb": 1000**3,
    "kib": 1024,
    "mib": 1024**2,
    "gib": 1024**3,
}
MICROSECONDS = {"us": 1, "µs": 1, "μs": 1, "ms": 1000, "s": 1000**2}  # both letters mu
_NUMBER = r"\s*(\d{1,18}(?:\.\d{1,18})?)\s*"
_SIZE = re.compile(_NUMBER + r"([a-zA-Z]*)\s*", re.ASCII)
_TIME = re.compile(_NUMBER + r"([a-zµμ]+)\s*", re.ASCII | re.IGNORECASE)


def parse_bytes(text: str, what: str = "budget") -> int:
    """Return the bytes of `text`, rounded down.

    Raises BenchError, about `what`, for anything but a positive number and a unit.
    """
    match = _SIZE.fullmatch(text)
    if not match or match[2].lower() not in BYTES:
        raise BenchError(
            f"{what}: {text!r} was given; write bytes such as 28032, 28kB (1000) or 1.5MiB (1024)"
        )
    return int(Fraction(match[1]) * BYTES[match[2].lower()])


def parse_micros(text: str, what: str) -> float:
    """Return the microseconds of `text`.

    Raises BenchError, about `what`, for anything but a number above 0 and a unit of time.
    """
    match = _TIME.fullmatch(text.lower())
    if not match or match[2] not in MICROSECONDS or not Fraction(match[1]):
        raise BenchError(f"{what}: {text!r} was given; write a time such as 200us, 0.2ms or 0.001s")
    return float(Fraction(match[1]) * MICROSECONDS[match[2]])

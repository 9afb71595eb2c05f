"""Sizes as people write them: 28032, 28kB, 1.5MiB."""

import re
from fractions import Fraction

from ue_bench.errors import BenchError

FACTORS = {"": 1, "b": 1, "kb": 1000, "mb": 1000**2, "gb": 1000**3, "kib": 1024, "mib": 1024**2, "gib": 1024**3}


def parse_bytes(text: str) -> int:
    """Bytes of `text`, rounded down. Raises BenchError for anything but a positive number and a unit."""
    match = re.fullmatch(r"\s*(\d{1,18}(?:\.\d{1,18})?)\s*([a-zA-Z]*)\s*", text, re.ASCII)
    if not match or match[2].lower() not in FACTORS:
        raise BenchError(f"budget: {text!r} was given; write bytes such as 28032, 28kB (1000) or 1.5MiB (1024)")
    return int(Fraction(match[1]) * FACTORS[match[2].lower()])

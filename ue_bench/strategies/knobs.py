"""Checks of a method's own knobs, which `Spec.options` holds."""

from collections.abc import Mapping
from typing import Any

from ue_bench.errors import BenchError, unknown
from ue_bench.strategies.spec import Spec

MOST_HASHES = 65_536  # of a lookup: each is a seed, a hash and a place in the slots of every value


def check_knobs(spec: Spec, defaults: Mapping[str, Any]) -> None:
    """Check the knobs of `spec` against those of the method, given with their defaults.

    Raises BenchError for a knob that the method lacks, and for a value of another type than the
    default. An int is accepted for a float.
    """
    for name, value in spec.options.items():
        if name not in defaults:
            raise unknown(f"knob of {spec.name}", name, defaults)
        default = defaults[name]
        kind = type(default)
        is_number = kind is float and type(value) is int
        if type(value) is not kind and not is_number:
            raise BenchError(
                f"{spec.name}: knob {name}={value!r} was given; it must be {kind.__name__}, "
                f"as {default!r}"
            )


def require(spec: Spec, knob: str, value: Any, legal: bool, allowed: str) -> None:
    """Raise BenchError unless the value of a knob is legal.

    allowed: the legal values, in words that complete "it must be ...".
    """
    if not legal:
        raise BenchError(f"{spec.name}: knob {knob}={value!r} was given; it must be {allowed}")


def require_hashes(spec: Spec, hashes: int) -> None:
    """Raise BenchError unless a lookup can have so many hashes."""
    allowed = f"from 1 to {MOST_HASHES:,}"
    require(spec, "hashes", hashes, 1 <= hashes <= MOST_HASHES, allowed)

"""Numbers rounded to two significant decimal digits, so that near ones are one category."""

import math
from decimal import Decimal
from functools import lru_cache

import numpy as np
import polars as pl

from ue_bench.categories.repeated_texts import Repeated, numbered_integers

INFINITIES = (float("inf"), float("-inf"))
_KEYS = 256  # keys of the two digits of numbers with the same exponent
_SMALLEST, _LARGEST = -290, 290  # powers of ten between which plain arithmetic finds the digits
_EXPONENT_BIT = 52  # of a float64: below are the bits of its fraction, above is its sign
_EXPONENTS = 2**11
_EXPONENT_OF_ONE = 1023


def bucket(value: float) -> str:
    """Return a number rounded to two significant decimal digits, in plain decimal notation.

    1234 -> 1200, 0.01267 -> 0.013, -7 -> -7, 99.6 -> 100, 0 and -0 -> 0. A value exactly between
    two goes to the even digit: 125 -> 120, 135 -> 140 (C's "%.1e" rounds alike). Infinities are
    `inf` and `-inf`.
    """
    if value in INFINITIES:
        return str(float(value))
    rounded = f"{value:.1e}"
    text = repr(float(rounded))  # the shortest text that reads as this number, quickly made
    if "e" in text or "inf" in text:
        text = format(Decimal(rounded), "f")
    if "." in text:
        text = text.rstrip("0").removesuffix(".")
    return "0" if text == "-0" else text


def buckets(values: pl.Series) -> pl.Series:
    """Return the `bucket` of each value: String, and "" for null.

    values: Float64, null or NaN where they are missing.
    """
    return distinct_buckets(values).column().alias(values.name)


def _powers_of_ten() -> tuple[np.ndarray, np.ndarray]:
    """Return what numbers are multiplied by, and the power of ten that this takes away.

    Both have an entry for each binary exponent, as float64 stores it. A number is then between 10
    and 200, or NaN where plain arithmetic does not find its digits.
    """
    scales = np.full(_EXPONENTS, np.nan)
    powers = np.zeros(_EXPONENTS)
    for stored in range(1, _EXPONENTS - 1):
        power = math.floor((stored - _EXPONENT_OF_ONE) * math.log10(2)) - 1
        if _SMALLEST < power < _LARGEST:
            scales[stored] = float(f"1e{-power}")
            powers[stored] = power
    return scales, powers


_SCALES, _POWERS = _powers_of_ten()


def distinct_buckets(values: pl.Series) -> Repeated:
    """Return the `bucket` of each value.

    values: as `buckets` takes them.

    Two digits and an exponent come from floating-point arithmetic. Its error is far below 1e-6, so
    that `bucket` itself is asked only for values next to a tie.
    """
    numbers = values.to_numpy()  # null becomes NaN
    exponents = (numbers.view(np.int64) >> _EXPONENT_BIT) & (_EXPONENTS - 1)
    digits = numbers * _SCALES[exponents]
    powers = _POWERS[exponents]
    is_large = np.abs(digits) >= 100  # one digit more than two
    digits *= np.where(is_large, 0.1, 1.0)
    powers += is_large
    rounded = np.rint(digits)
    is_certain = np.abs(digits - rounded) < 0.5 - 1e-6
    uncertain = np.flatnonzero(~is_certain)
    rounded[uncertain] = 0.0
    keys = (_KEYS * powers + rounded).astype(np.int64)
    distinct_keys, codes = numbered_integers(keys)
    texts = list(map(_bucket_of_key, distinct_keys.tolist()))
    if len(uncertain):
        bits, other_codes = numbered_integers(numbers[uncertain].view(np.int64))
        codes[uncertain] = other_codes + len(texts)
        others = bits.view(np.float64).tolist()
        texts += ["" if math.isnan(number) else _bucket_of_number(number) for number in others]
    return Repeated(texts, codes)


_bucket_of_number = lru_cache(maxsize=2**16)(bucket)


@lru_cache(maxsize=2**16)
def _bucket_of_key(key: int) -> str:
    """Return the text of `_KEYS` times the exponent, plus the digits, from -100 to 100."""
    exponent = round(key / _KEYS)
    return bucket(float(f"{key - _KEYS * exponent}e{exponent}"))

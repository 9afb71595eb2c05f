"""Numbers rounded to two significant decimal digits, so that near ones are one category."""

import math
from decimal import Decimal
from functools import lru_cache

import numpy as np
import polars as pl

from ue_bench.categories.repeated_texts import Repeated, numbered_integers

INFINITIES = (float("inf"), float("-inf"))
_KEYS = 256  # keys of the two digits of numbers with the same exponent
_SMALLEST, _LARGEST = 1e-290, 1e290  # of the numbers whose digits plain arithmetic finds


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


def distinct_buckets(values: pl.Series) -> Repeated:
    """Return the `bucket` of each value.

    Two digits and an exponent come from floating-point arithmetic. Its error is far below 1e-6, so
    that `bucket` itself is asked only for values next to a tie.
    """
    numbers = values.to_numpy()  # null becomes NaN
    size = np.abs(numbers)
    is_common = (size > _SMALLEST) & (size < _LARGEST)
    exponents = np.floor(np.log10(size, where=is_common, out=np.zeros_like(size))) - 1
    digits = np.divide(numbers, 10.0**exponents, where=is_common, out=np.zeros_like(size))
    is_certain = is_common & (np.abs(np.abs(digits - np.trunc(digits)) - 0.5) > 1e-6)
    keys = (_KEYS * exponents + np.rint(digits)).astype(np.int64)
    distinct_keys, codes = numbered_integers(keys)
    texts = list(map(_bucket_of_key, distinct_keys.tolist()))
    uncertain = np.flatnonzero(~is_certain)
    if len(uncertain):
        others, other_codes = np.unique(numbers[uncertain], return_inverse=True)
        codes[uncertain] = other_codes + len(texts)
        texts += ["" if math.isnan(number) else bucket(number) for number in others.tolist()]
    return Repeated(texts, codes)


@lru_cache(maxsize=2**16)
def _bucket_of_key(key: int) -> str:
    """Return the text of `_KEYS` times the exponent, plus the digits, from -100 to 100."""
    exponent = round(key / _KEYS)
    return bucket(float(f"{key - _KEYS * exponent}e{exponent}"))

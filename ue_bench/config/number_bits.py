"""The formats in which the numbers of a pool may be served."""

from ue_bench.errors import unknown

# Bits of a number by the name of its format. From 8 bits on down a number is a code, times a step.
BITS = {"float32": 32, "float16": 16, "int8": 8, "int4": 4, "int3": 3, "int2": 2, "int1": 1}


def parse_bits(bits: str | int) -> str:
    """Return the name of a format from its name or its bits: `int4` of "int4", "4" and 4.

    Raises BenchError for anything else.
    """
    for name, count in BITS.items():
        if str(bits) in (name, str(count)):
            return name
    raise unknown("bits", str(bits), BITS)

"""Names of planted click logs.

`click-world-small@0.3` has a turnover of 0.3 values a day. `click-world-100000` has 100,000 values
of users, advertisements and pages together, and is as large as they need.
"""

import re

NEW_A_DAY = 0.1  # the turnover of a log whose name has none
FEWEST_VALUES = 1_000
MOST_VALUES = 10_000_000
_VALUES = re.compile(r"click-world-(?P<values>[1-9][0-9]{3,7})")
_TURNOVER = re.compile(r"(?P<world>click-world-(?:[a-z]+|[0-9]+))@(?P<turnover>0|1|0?\.[0-9]{1,3})")


def turnover_of(name: str) -> float | None:
    """Return the turnover in the name of a click log; None where it has none."""
    found = _TURNOVER.fullmatch(name)
    return None if found is None else float(found["turnover"])


def without_turnover(name: str) -> str:
    """Return the name of the log without its turnover; any other name unchanged."""
    found = _TURNOVER.fullmatch(name)
    return name if found is None else found["world"]


def values_of(name: str) -> int | None:
    """Return the number of values in the name of a click log; None where it has none.

    A number below `FEWEST_VALUES` or above `MOST_VALUES` is none.
    """
    found = _VALUES.fullmatch(without_turnover(name))
    if found is None:
        return None
    values = int(found["values"])
    return values if FEWEST_VALUES <= values <= MOST_VALUES else None

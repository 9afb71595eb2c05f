"""Names of planted click logs: `click-world-small@0.3` has a turnover of 0.3 values a day."""

import re

NEW_A_DAY = 0.1  # the turnover of a log whose name has none
_TURNOVER = re.compile(r"(?P<world>click-world-[a-z]+)@(?P<turnover>0|1|0?\.[0-9]{1,3})")


def turnover_of(name: str) -> float | None:
    """Return the turnover in the name of a click log; None where it has none."""
    found = _TURNOVER.fullmatch(name)
    return None if found is None else float(found["turnover"])


def without_turnover(name: str) -> str:
    """Return the name of the log without its turnover; any other name unchanged."""
    found = _TURNOVER.fullmatch(name)
    return name if found is None else found["world"]

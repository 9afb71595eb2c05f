"""The grammar of features of several values: `genres` (with | between them), or `genres=;`."""

import re
from collections.abc import Mapping
from typing import Any

from ue_bench.errors import BenchError

USUAL = "|"
# A separator has no comma, unless it is one; spaces may follow it.
_ENTRY = re.compile(r"(?P<name>[^,=]+)(?:=(?P<separator>,\s*(?=,|\Z)|[^,]+))?(?P<end>,|\Z)")


def parse_separators(text: str) -> dict[str, str]:
    """Return the separator of each feature of several values, by name.

    text: names separated by commas, each alone or as NAME=SEPARATOR. A separator is one or more
    characters as they are, spaces included: `tags=;`, `tags=, ` (a comma and a space), and
    `tags=,,genres` (a comma, and another feature).
    Raises BenchError for anything else, and for a name that is given twice.
    """
    separators: dict[str, str] = {}
    start = 0
    more = True
    while more:
        entry = _ENTRY.match(text, start)
        name = "" if entry is None else entry["name"].strip()
        if entry is None or not name:
            raise BenchError(
                f"multi_valued: {text!r} was given; write names separated by commas, and after a "
                "name what is between its values where that is not |: genres or tags=;"
            )
        if name in separators:
            raise BenchError(f"multi_valued: {name!r} is given twice; leave one out")
        separators[name] = entry["separator"] or USUAL
        start = entry.end()
        more = entry["end"] == ","
    return separators


def separators_of(given: Any) -> dict[str, str]:
    """Return separators by name from a text, or from a table of a TOML file.

    Raises BenchError for anything else.
    """
    if isinstance(given, str):
        return parse_separators(given)
    if isinstance(given, Mapping) and all(isinstance(text, str) for text in given.values()):
        return parse_separators(separators_text(given))
    raise BenchError(
        f"multi_valued: {given!r} was given; it must be text, such as 'tags=;', or texts by name, "
        "such as { tags = ';' }"
    )


def separators_text(separators: Mapping[str, str]) -> str:
    """Write separators as `parse_separators` reads them, sorted by name.

    Raises BenchError for a name or a separator that the text cannot hold.
    """
    entries = []
    for name, separator in sorted(separators.items()):
        entries.append(name if separator == USUAL else f"{name}={separator}")
    text = ",".join(entries)
    if parse_separators(text) != dict(separators):
        raise BenchError(
            f"multi_valued: {dict(separators)} was given; a name has no comma and no equals sign, "
            "and a separator is a comma or has none"
        )
    return text

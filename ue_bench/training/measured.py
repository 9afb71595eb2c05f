"""What was measured of one configuration, before it becomes a record."""

from typing import Any, NamedTuple


class Measured(NamedTuple):
    """Parts of a record.

    found: what depends on the strategy or anchor; what all runs on the data have in common is not
    in it.
    """

    found: dict[str, Any]
    quality: dict[str, Any]
    cost: dict[str, Any]

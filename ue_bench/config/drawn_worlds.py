"""Draws of a planted world: `planted-noise#17` has the formula of `planted-noise`, drawn anew.

A draw is a replicate of its world and no data set of its own: no arm is quoted on it.
"""

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ue_bench.config.run_config import RunConfig

_DRAW = re.compile(r"(?P<world>[^#]+)#[1-9][0-9]*")


def draw_of(world: str, number: int) -> str:
    """Return the name of a draw of a world. number: from 1."""
    return f"{world}#{number}"


def world_of(dataset: str) -> str:
    """Return the name of the world that a data set draws; any other name unchanged."""
    draw = _DRAW.fullmatch(dataset)
    if draw is None:
        return dataset
    return draw["world"]


def is_draw(config: "RunConfig") -> bool:
    """Return whether the data set of a configuration is a draw of a world."""
    return config.table is None and world_of(config.dataset) != config.dataset

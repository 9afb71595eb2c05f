"""The places of a strategy in several worlds, in a few numbers."""

from collections import Counter
from collections.abc import Mapping, Sequence
from statistics import fmean
from typing import Any


def over_worlds(places: Sequence[Mapping[str, Any]]) -> dict[str, Any] | None:
    """Return the summary of places, as `evidence.place.places` returns them; None without one.

    mean_rank: of the means of the worlds, so that all worlds count alike. worlds: by title, the
    mean rank by budget and the most strategies that it is among. sizes, on_front: places, and how
    many of them are on the front. tests: of the strategy against a rival; better, worse: of these.
    """
    if not places:
        return None
    by_world: dict[str, list[Mapping[str, Any]]] = {}
    for place in places:
        by_world.setdefault(place["panel"], []).append(place)
    worlds = {}
    for title, of_world in by_world.items():
        worlds[title] = {
            "mean_rank": fmean(place["rank"] for place in of_world),
            "among": max(place["among"] for place in of_world),
        }
    verdicts = Counter(rival["verdict"] for place in places for rival in place["rivals"])
    return {
        "mean_rank": fmean(world["mean_rank"] for world in worlds.values()),
        "worlds": worlds,
        "sizes": len(places),
        "on_front": sum(place["on_front"] for place in places),
        "tests": verdicts.total(),
        "better": verdicts["better"],
        "worse": verdicts["worse"],
    }

"""The parts of a study that have runs of some strategies, with these runs alone."""

from collections.abc import Collection, Iterable
from dataclasses import replace

from ue_bench.errors import BenchError, unknown
from ue_bench.strategies.registry import strategy_names
from ue_bench.study.grid_and_search import Grid, Search

Part = Grid | Search


def parts_of(parts: Iterable[Part], strategies: Collection[str], study: str) -> tuple[Part, ...]:
    """Return the grids and searches with the arms of these strategies.

    study: its name, for the error. Raises BenchError for a strategy that does not exist, and for
    one that no part has.
    """
    known = strategy_names()
    kept: list[Part] = []
    found: set[str] = set()
    for part in parts:
        own = _only(part, strategies)
        if own is not None:
            kept.append(own)
            found |= _strategies(own)
    for name in strategies:
        if name not in found:
            if name not in known:
                raise unknown("strategy", name, known)
            raise BenchError(f"only: study {study} has no run of {name}; leave it out")
    return tuple(kept)


def _only(part: Part, strategies: Collection[str]) -> Part | None:
    if isinstance(part, Grid):
        arms = tuple(arm for arm in part.arms if arm.strategy in strategies)
        return replace(part, arms=arms) if arms else None
    if not set(part.strategies) <= set(strategies):
        return None
    against = tuple(arm for arm in part.against if arm.strategy in strategies)
    return replace(part, against=against)


def _strategies(part: Part) -> set[str]:
    if isinstance(part, Search):
        return set(part.strategies)
    return {arm.strategy for arm in part.arms}

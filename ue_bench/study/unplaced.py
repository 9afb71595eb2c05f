"""Strategies of plug-ins that a study has no run of."""

from collections.abc import Collection, Iterable

from ue_bench.errors import one_line
from ue_bench.study.by_name import find, names
from ue_bench.study.grid_and_search import Grid, Search
from ue_bench.study.plugin_versions import strategies_of


def unplaced(study: str, parts: Iterable[Grid | Search], added: Collection[str]) -> list[str]:
    """Return one line where a study has no run of any strategy of the plug-ins; else none.

    study: its name. parts: those that are asked for. added: the strategies of the plug-ins.
    """
    if not added or _named(parts, added):
        return []
    line = f"{study}: no run of {', '.join(sorted(added))}, which --plugin adds, is asked for"
    others = [name for name in names() if name != study and _named(find(name).parts, added)]
    if others:
        line += f"; {' and '.join(others)} run the strategies of a plug-in"
    return [one_line(f"{line}, and a study file of your own may name them")]


def _named(parts: Iterable[Grid | Search], added: Collection[str]) -> bool:
    """Return whether a part has a run of one of these strategies."""
    return any(not set(added).isdisjoint(strategies_of(part)) for part in parts)

"""Strategies from elsewhere: of a file, or of an installed package through the entry point group `ue_bench.strategies`."""

from importlib.metadata import entry_points
from pathlib import Path

from ue_bench import plugins
from ue_bench.errors import BenchError
from ue_bench.strategies.entry import Entry

GROUP = "ue_bench.strategies"


def load_file(path: Path, known: dict[str, Entry]) -> dict[str, Entry]:
    """Run a Python file, add its `STRATEGIES` (name -> Entry) to `known` and return them.

    Raises BenchError for a file that is not there or has none, and for a name that is taken. What the file raises is its own.
    """
    path = path.resolve()
    module = plugins.run(path, "plugin")
    if module is None:
        raise BenchError(
            f"plugin {path} is no Python file; give the path of one that has STRATEGIES = {{name: Entry(...)}}"
        )
    found = getattr(module, "STRATEGIES", None)
    if not isinstance(found, dict) or not found:
        raise BenchError(
            f"plugin {path} has no strategies; it needs STRATEGIES = {{name: Entry(...)}}"
        )
    for name, entry in found.items():
        _add(name, entry, known, f"plugin {path}")
    return found


def load_installed(known: dict[str, Entry]) -> None:
    """Add the strategies of installed packages to `known`: an entry point a strategy, which names an Entry."""
    for point in entry_points(group=GROUP):
        if point.name not in known:
            _add(point.name, point.load(), known, f"entry point {point.value}")


def _add(name: str, entry: object, known: dict[str, Entry], source: str) -> None:
    if not isinstance(entry, Entry):
        raise BenchError(
            f"{source}: {name} is a {type(entry).__name__}; it must be an ue_bench.strategies.Entry"
        )
    if (
        name in known and known[name].method.__module__ != entry.method.__module__
    ):  # the same file again is no clash
        raise BenchError(f"{source}: the name {name!r} is taken; choose another")
    known[name] = entry

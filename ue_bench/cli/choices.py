"""Names that can be chosen, for the shell's completion: found in the text of the files, since loading these takes seconds.

A test holds each to the list that the program itself goes by.
"""

import ast
from collections.abc import Callable, Iterator
from importlib.metadata import entry_points
from pathlib import Path

from ue_bench.speed.cases import CASES
from ue_bench.study import names as studies

ROOT = Path(__file__).resolve().parent.parent


def strategies() -> list[str]:
    """The strategies that are here, and those of installed packages."""
    own = _keys(ROOT / "strategies/registry.py", "STRATEGIES")
    return sorted({*own, *(point.name for point in entry_points(group="ue_bench.strategies"))})


def datasets() -> list[str]:
    from ue_bench.data import DATASETS

    return sorted(DATASETS)


def cases() -> list[str]:
    """The cases of `ue-bench speed`."""
    return sorted(CASES)


LISTS: dict[str, Callable[[], list[str]]] = {
    "strategy": strategies,
    "dataset": datasets,
    "study": studies,
    "case": cases,
    "features": lambda: ["base", "wide"],
    "listing": lambda: ["datasets", "strategies", "studies"],
}


def _nodes(path: Path) -> Iterator[ast.AST]:
    return ast.walk(ast.parse(path.read_text(encoding="utf-8")))


def _keys(path: Path, variable: str) -> list[str]:
    """The keys of a dictionary that stands in a file as `variable: ... = {...}`."""
    for node in _nodes(path):
        if (
            isinstance(node, ast.AnnAssign)
            and ast.unparse(node.target) == variable
            and isinstance(node.value, ast.Dict)
        ):
            return [
                key.value
                for key in node.value.keys
                if isinstance(key, ast.Constant) and isinstance(key.value, str)
            ]
    raise LookupError(f"{path} has no dictionary {variable}")

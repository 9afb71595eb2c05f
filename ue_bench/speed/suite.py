"""Runs the cases of `ue-bench speed` and makes a record of each."""

from collections.abc import Iterable, Iterator
from importlib import import_module
from types import ModuleType
from typing import Any

import torch

from ue_bench.errors import unknown
from ue_bench.record import QUICK, SPEED, SpeedCase, SpeedRecord
from ue_bench.speed.cases import CASES
from ue_bench.strategies.allocator import keep_freed_memory
from ue_bench.training.environment import environment


def chosen(names: Iterable[str]) -> list[str]:
    """Return the given cases in the order of `CASES`; all cases where none is given.

    Raises BenchError for an unknown one.
    """
    names = list(names) or list(CASES)
    for name in names:
        if name not in CASES:
            raise unknown("case of speed", name, CASES)
    return [name for name in CASES if name in names]


def measure(name: str, quick: bool) -> Iterator[dict[str, Any]]:
    """Yield the lines of one case as each is measured, with one thread of torch."""
    torch.set_num_threads(1)
    keep_freed_memory()
    for line in load_case(name).measure(quick):
        yield line.to_dict()


def record(name: str, quick: bool, lines: list[dict[str, Any]]) -> SpeedRecord:
    """Return the record of one case."""
    study = SPEED
    if quick:
        study += QUICK
    case = SpeedCase(case=name, quick=quick)
    return SpeedRecord(
        run_id=case.run_id,
        study=study,
        config=case,
        found={"title": load_case(name).TITLE, "threads": torch.get_num_threads()},
        cost={"lines": lines},
        env=environment(None),
    )


def load_case(name: str) -> ModuleType:
    """Import the module of a case."""
    return import_module(f"ue_bench.speed.cases.{CASES[name]}")

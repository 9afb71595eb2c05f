"""All cases: each is a file with a title and a `measure`, and becomes one record."""

import hashlib
import json
from collections.abc import Iterable, Iterator
from dataclasses import asdict
from types import ModuleType

import torch

from ue_bench.errors import unknown
from ue_bench.record import QUICK, SPEED, SpeedCase, SpeedRecord
from ue_bench.speed import coding, compiled, forward, growth, pages, start, step
from ue_bench.speed import training_speed as training
from ue_bench.speed import two_workers as workers
from ue_bench.speed import values_to_slots as hashing
from ue_bench.strategies.allocator import keep_freed_memory
from ue_bench.training.environment import environment

CASES: dict[str, ModuleType] = {
    "forward": forward,
    "hashing": hashing,
    "step": step,
    "training": training,
    "coding": coding,
    "workers": workers,
    "start": start,
    "report": pages,
    "compiled": compiled,
    "growth": growth,
}


def chosen(names: Iterable[str]) -> dict[str, ModuleType]:
    """The cases of these names; all of them where none is named. Raises BenchError for an unknown one."""
    names = list(names)
    for name in names:
        if name not in CASES:
            raise unknown("case of speed", name, CASES)
    return {name: case for name, case in CASES.items() if name in names or not names}


def measure(name: str, quick: bool) -> Iterator[dict]:
    """The lines of one case, as each is measured, with one thread of torch."""
    torch.set_num_threads(1)
    keep_freed_memory()
    for line in CASES[name].measure(quick):
        yield line.to_dict()


def record(name: str, quick: bool, lines: list[dict]) -> SpeedRecord:
    """The record of one case."""
    case = SpeedCase(case=name, quick=quick)
    text = json.dumps(asdict(case), sort_keys=True)
    run_id = hashlib.sha256(text.encode()).hexdigest()[:16]
    found = {"title": CASES[name].TITLE, "threads": torch.get_num_threads()}
    return SpeedRecord(
        run_id=run_id,
        study=f"{SPEED}{QUICK}" if quick else SPEED,
        config=case,
        found=found,
        cost={"lines": lines},
        env=environment(None),
    )

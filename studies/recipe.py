"""Which conclusions depend on the recipe of training, and which survive every change of it?

Command: ue-bench study recipe --workers 2
Cost: 2,520 runs; with --quick 72.
Expect: the same order of the forms under every recipe that trains to the end. Pairs that lie close
together change places.

The first grid runs the default recipe on 40 seeds, which also shows whether the runs of an arm fall
into two modes. Each other grid changes one thing, on the first 10 of these seeds.
"""

from dataclasses import replace
from typing import Any

from ue_bench.studies.heads import BASE, BOTH, EXACT

from ue_bench.config import RunConfig
from ue_bench.study import Grid, Study

COMPRESSION = 16
DEFAULT = RunConfig()
Fields = dict[str, Any]
# The name of a setting, with the fields that it changes. Two lookups of 8 make a vector of 16.
SETTINGS: dict[str, Fields] = {
    "half the rate": {"lr": DEFAULT.lr / 2},
    "twice the rate": {"lr": DEFAULT.lr * 2},
    "patience 3": {"patience": 3},
    "patience 15": {"patience": 15, "stop_above": None},
    "at most 10 epochs": {"epochs": 10},
    "at most 40 epochs": {"epochs": 40},
    "at most 80 epochs": {"epochs": 80},
    "batch 128": {"batch_size": 128},
    "batch 512": {"batch_size": 512},
    "batch 2,048": {"batch_size": 2048},
    "vectors of 8": {"dim": 4},
    "vectors of 32": {"dim": 16},
    "no dropout": {"dropout": 0.0},
    "dropout 0.4": {"dropout": 0.4},
    "weight decay 1e-6": {"weight_decay": 1e-6},
    "weight decay 1e-5": {"weight_decay": 1e-5},
    "normal start": {"init": "normal", "init_scale": DEFAULT.init_scale},
    "start of a fifth": {"init_scale": DEFAULT.init_scale / 5},
}


def arms(fields: Fields) -> tuple[RunConfig, ...]:
    """Every form of the study `heads`, under one recipe."""
    changed = replace(BASE, **fields)
    return tuple(replace(changed, **form) for form in BOTH + EXACT)


def grids(names: tuple[str, ...], seeds: int, default_seeds: int) -> tuple[Grid, ...]:
    """The default recipe, then each of these settings that is another one."""
    parts = [Grid(arms({}), (COMPRESSION,), seeds=default_seeds)]
    for name in names:
        if replace(BASE, **SETTINGS[name]) != BASE:
            parts.append(Grid(arms(SETTINGS[name]), (COMPRESSION,), seeds=seeds, setting=name))
    return tuple(parts)


STUDY = Study(
    question="which conclusions depend on the recipe of training, and which survive every change?",
    parts=grids(tuple(SETTINGS), seeds=10, default_seeds=40),
    quick=grids(("half the rate", "batch 2,048"), seeds=2, default_seeds=2),
    latency=False,
)

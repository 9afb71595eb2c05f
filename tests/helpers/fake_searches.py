"""Records of searches that no machine measured, made by the plan and the sampler of real ones."""

from collections.abc import Callable, Iterable
from dataclasses import replace

import fake_records as fake

from ue_bench.config import RunConfig
from ue_bench.record import Record, failure
from ue_bench.strategies import method_of
from ue_bench.study import Search, Study
from ue_bench.study.engine import Engine, Request
from ue_bench.study.fair_searches import forms_of
from ue_bench.study.plan import ListStage, Plan
from ue_bench.study.sampler import Sampler
from ue_bench.study.search import SearchRun

NAME = "searched"
BUDGET = 14_016
BASE = RunConfig(budget=BUDGET, lookups=2, dim=8)
# Few lookups: fake records know the features of `base` by other names.
SPACE = {"dim": (2, 4, 8, 16, 32), "dropout": (0.0, 0.1, 0.2, 0.3, 0.4, 0.5)}

Score = Callable[[RunConfig], float | None]


def score(config: RunConfig) -> float:
    """The test MSE of a run: better with a dropout of 0.3 and with 16 numbers, whatever the form."""
    level = {"unified": 0.0, "per_feature": 0.05}.get(config.strategy, 0.02)
    rule = {"proportional": 0.02, "sqrt": 0.01}.get(config.region_rule or "", 0.0)
    distance = abs(config.dropout - 0.3) + abs((config.dim or 0) - 16) / 100
    return 0.9 + level + rule + 0.1 * distance + config.split_seed % 7 / 1000


def searches(strategies: Iterable[str] = ("unified", "per_feature"), **terms) -> list[Search]:
    """A search for each form, at one budget."""
    found = []
    for form in forms_of(BASE, strategies):
        search = Search(form, SPACE, against=(form,), best=1, seeds=3)
        found.append(replace(search, **terms))
    return found


def run(search: Search, score: Score = score) -> list[Record]:
    """The records of a search and of what confirms it. score: None for a run that cannot work."""
    plan = Plan(NAME, Study("?", (search,), latency=False))
    records: dict[str, Record] = {}

    def made(request: Request) -> Record:
        config, mse = request.config, score(request.config)
        found = {"trial": request.facts} if request.facts else {}
        if mse is None:
            record = failure(
                config,
                study=NAME,
                phase=request.phase,
                cause="budget",
                error="too small",
                found=found,
            )
        else:
            found["method"] = method_of(config.strategy)
            record = fake.make(config, NAME, request.phase, mse=mse, **found)
        records[record.run_id] = record
        return record

    for stage in plan.stages(records):
        if isinstance(stage, ListStage):
            for config in stage.configs.values():
                made(Request(config, stage.phase))
            continue
        under_way = Engine(SearchRun(stage, Sampler(search, stage.base, 0)).steps(), records)
        while request := under_way.next():
            under_way.give(made(request))
    return list(records.values())


def study(*searches: Search, score: Score = score) -> list[Record]:
    """The records of several searches, which need not be alike."""
    records: list[Record] = []
    for search in searches:
        records += run(search, score)
    return records

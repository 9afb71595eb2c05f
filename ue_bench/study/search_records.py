"""What a search reads of records: its validation scores, whether they answer it, which are best."""

import hashlib
import json
from collections.abc import Iterable
from dataclasses import fields, replace
from typing import Any

from ue_bench.config import RunConfig
from ue_bench.record import Record
from ue_bench.study import Search
from ue_bench.study.grid_and_search import Space
from ue_bench.study.space import value_of
from ue_bench.training.assembly import without_ignored_budget


def blind(record: Record) -> Record:
    """Return the record with no score but those of validation.

    A search only sees such records, so that no choice can rest on a test score.
    """
    quality = {}
    for name in record.quality:
        if name.startswith("val_"):
            quality[name] = record.quality[name]
    return replace(record, quality=quality)


def objectives(record: Record, search: Search) -> list[float]:
    """Return the numbers that a search minimises."""
    scores = []
    for key in search.objectives:
        group, name = key.split(".")
        scores.append(float(getattr(record, group)[name]))
    return scores


def trial_facts(search: Search, number: int) -> dict[str, Any]:
    """Return what the record of a trial says about it.

    number: its place in the order of the search's trials. All else is equal for the trials of one
    search, and different for those of another one from the same base.
    """
    return {
        "number": number,
        "sampler": search.sampler,
        "total": search.total,
        "varies": sorted(search.space),
        "objectives": list(search.objectives),
        "batch": search.batch,
        "space": _digest(search.space),
    }


def number_of(record: Record) -> int | None:
    """Return the place of a trial in the order of its search; None where the record has none."""
    return record.found.get("trial", {}).get("number")


def is_trial(record: Record, search: Search) -> bool:
    """Return whether a record is that of a trial of this search, made in batches as it declares."""
    number = number_of(record)
    return number is not None and record.found["trial"] == trial_facts(search, number)


def is_unordered(record: Record) -> bool:
    """Return whether a record is that of a trial of an earlier version.

    The sampler then learned records in the order in which the runs ended.
    """
    return record.phase == "search" and "batch" not in record.found.get("trial", {})


def belongs(record: Record, base: RunConfig, search: Search) -> bool:
    """Return whether an ok record answers the search from `base`, whichever part asked for its run.

    Its configuration is that of `base` outside the space, and allowed inside it. A budget that the
    strategy does not keep says nothing. The trial of another sampler does not answer the search.
    """
    if record.status != "ok":
        return False
    trial = record.found.get("trial", {})
    sampler = trial.get("sampler", search.sampler)
    if sampler != search.sampler:
        return False
    for name, allowed in search.space.items():
        if value_of(record.config, name) not in allowed:
            return False
    varied = {name.partition(".")[0] for name in search.space}
    if record.config.strategy != base.strategy and "strategy" not in varied:
        return False
    config = without_ignored_budget(record.config)
    expected = without_ignored_budget(replace(base, strategy=config.strategy))
    for field in fields(RunConfig):
        if field.name in varied:
            continue
        if getattr(config, field.name) != getattr(expected, field.name):
            return False
    if search.total is None:
        return True
    lookups = [value_of(config, f"lookups.{name}") for name in search.features]
    return sum(lookups) == search.total


def best_few(records: Iterable[Record], search: Search) -> list[Record]:
    """Return the best few records by the first objective.

    With several objectives only those of the Pareto front are eligible.
    """
    scores = {}
    by_id = {}
    for record in records:
        by_id[record.run_id] = record
        scores[record.run_id] = objectives(record, search)
    eligible = list(scores)
    if len(search.objectives) > 1:
        eligible = [run_id for run_id in scores if not _is_beaten(scores[run_id], scores.values())]
    eligible.sort(key=lambda run_id: (scores[run_id], run_id))
    return [by_id[run_id] for run_id in eligible[: search.best]]


def _digest(space: Space) -> str:
    text = json.dumps(sorted(space.items()))
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def _is_beaten(scores: list[float], rivals: Iterable[list[float]]) -> bool:
    """Return whether a rival is at least as good in every objective, and not equal."""
    for rival in rivals:
        pairs = zip(rival, scores, strict=True)
        if rival != scores and all(theirs <= ours for theirs, ours in pairs):
            return True
    return False

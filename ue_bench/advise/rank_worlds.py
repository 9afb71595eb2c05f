"""The rank of a new strategy in several worlds of the study `worlds`, which searches nothing.

There the new strategy has what each published one has: two lookups of 8 numbers in every form, in
floats and in two bits, with the one recipe.
"""

from collections.abc import Sequence
from pathlib import Path

from ue_bench.advise.rank import (
    PUBLISHED,
    Ranking,
    dataset_of,
    published_records,
    require_new,
)
from ue_bench.errors import BenchError, unknown
from ue_bench.study import find
from ue_bench.study.parts_of import parts_of

STUDY = "worlds"


def parse_worlds(text: str) -> tuple[str, ...]:
    """Return the names of a list with commas. Raises BenchError for one that is empty."""
    names = tuple(dict.fromkeys(name.strip() for name in text.split(",")))
    if not all(names):
        raise BenchError(
            f"on: {text!r} was given; give names with commas, such as ml-100k,baseball"
        )
    return names


def prepare_on(worlds: Sequence[str], names: Sequence[str], published: Path = PUBLISHED) -> Ranking:
    """Return what has to be run to rank strategies that are loaded in these worlds.

    published: a results folder with the study `worlds`. Raises BenchError for a world that the
    study does not have, for a folder without records of one, and for a name that is taken.
    """
    parts = find(STUDY).parts
    known = sorted({dataset_of(part) for part in parts})
    for world in worlds:
        if world not in known:
            raise unknown("world", world, known)
    records = []
    for record in published_records(published, STUDY):
        if record.config.dataset in worlds:
            records.append(record)
    missing = set(worlds) - {record.config.dataset for record in records}
    if missing:
        raise BenchError(
            f"{published} has no record of study {STUDY} on {', '.join(sorted(missing))}; leave it "
            "out of --on, or give --against a results folder that has"
        )
    require_new(names, records, STUDY)
    own = parts_of(parts, names, STUDY)
    chosen = []
    for world in worlds:
        chosen += [part for part in own if dataset_of(part) == world]
    return Ranking(
        names=tuple(names),
        parts=tuple(chosen),
        whole=True,
        published=tuple(records),
        study=STUDY,
        worlds=tuple(worlds),
    )

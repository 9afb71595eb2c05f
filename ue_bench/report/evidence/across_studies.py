"""The records of several studies as those of one, so that their arms can meet."""

from collections.abc import Sequence
from dataclasses import replace

from ue_bench.record import Record

MOST_NAMED = 3  # studies


def as_one_study(records: Sequence[Record]) -> list[Record]:
    """Return the records of all studies under one name, each run once.

    A run that several studies asked for is that of the first one by name. What arms of one study
    must have in common is asked of these, too: data, recipe, and that what a search found meets
    only what searches found.
    """
    names = sorted({record.study for record in records})
    name = " + ".join(names)
    if len(names) > MOST_NAMED:
        name = f"{len(names)} studies"
    by_run: dict[str, Record] = {}
    for record in sorted(records, key=lambda record: record.study):
        by_run.setdefault(record.run_id, replace(record, study=name))
    return list(by_run.values())

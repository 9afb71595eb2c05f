"""The declared studies: no search takes another one's trials for its own."""

from dataclasses import replace

import pytest

from ue_bench.record import Record
from ue_bench.run import exact_table_bytes, resolve
from ue_bench.search import belongs, trial_facts
from ue_bench.study import Search, find, names


def start(search: Search):
    """The configuration that a search starts from, as the runner makes it."""
    config = replace(search.base, measure="quality")
    if search.compression:
        config = replace(config, budget=exact_table_bytes(config) // search.compression)
    return resolve(config.with_seed(search.seed))


@pytest.mark.parametrize("name", names())
def test_searches_of_a_study_keep_their_trials_apart(name):
    for parts in (find(name).parts, find(name).quick):
        searches = [part for part in parts if isinstance(part, Search)]
        bases = [start(search) for search in searches]
        trials = [_trial(search, base) for search, base in zip(searches, bases, strict=True)]
        for number, (search, base) in enumerate(zip(searches, bases, strict=True)):
            if search.total is None:
                space = {field: (*allowed, _value(base, field)) for field, allowed in search.space.items()}
                search = replace(search, space=space)
            taken = [other for other, trial in enumerate(trials) if belongs(trial, base, search)]
            assert taken == [number], f"part {number} of {name} would take trials of parts {taken}"


def _trial(search, base):
    """The configuration that the search starts from; with a fixed total, all lookups beyond one to the first feature."""
    if search.total is not None:
        base = resolve(replace(base, lookups={search.features[0]: search.total - len(search.features) + 1}))
    return Record(base.run_id, "s", "search", "ok", None, base.to_dict(), {"trial": trial_facts(search, 0)})


def _value(base, field):
    room, dot, key = field.partition(".")
    value = getattr(base, room)
    return value if not dot else value.get(key, 1 if room == "lookups" else None) if isinstance(value, dict) else value

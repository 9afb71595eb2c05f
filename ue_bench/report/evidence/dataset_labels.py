"""Data sets of one name that differ in content or definition are different data sets.

Their names become labels such as `ratings.csv (3f2a…)`, so that whatever groups records by the name
of the data set keeps them apart.
"""

import hashlib
import json
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Any

from ue_bench.record import Record
from ue_bench.record.data_identity import Identities, checksums_of

Table = dict[str, Any]
SHORTEST = 4  # hexadecimal digits of a checksum


def told_apart(records: Iterable[Record]) -> list[Record]:
    """Return the records, with a label as `config.dataset` where different data share a name.

    A record of a data set with a name that does not say which data it met keeps the name: it has no
    result.
    """
    every = list(records)
    contents = _Contents(every)
    by_name: dict[str, dict[str, Table]] = defaultdict(dict)
    for record in every:
        content = contents.of(record)
        if content is not None:
            by_name[record.config.dataset].setdefault(_text(content), contents.shown(record))
    labels: dict[tuple[str, str], str] = {}
    for name, alike in by_name.items():
        if len(alike) > 1:
            details = _details(list(alike.values()))
            for text, detail in zip(alike, details, strict=True):
                labels[name, text] = f"{name} ({detail})"
    if not labels:
        return every
    return [_labelled(record, contents, labels) for record in every]


class _Contents:
    """What tells the data of records of one name apart.

    That is the definition of a table, which has the checksum of its files, and for a data set with
    a name the identity of its data (see `record.data_identity`).
    """

    def __init__(self, records: Iterable[Record]) -> None:
        self._identities = Identities(filter(None, map(checksums_of, records)))

    def of(self, record: Record) -> Table | None:
        """Return it in a form of which equal ones are equal; None where nothing is known."""
        if record.config.table is not None:
            return record.config.table
        checksums = checksums_of(record)
        if checksums is None:
            return None
        return {"checksum": self._identities.of(checksums.files)}

    def shown(self, record: Record) -> Table:
        """Return what a label is made of: of a data set with a name, the checksum of its files."""
        if record.config.table is not None:
            return record.config.table
        return {"checksum": record.found["checksum"]}


def _labelled(record: Record, contents: _Contents, labels: dict[tuple[str, str], str]) -> Record:
    content = contents.of(record)
    if content is None:
        return record
    label = labels.get((record.config.dataset, _text(content)))
    if label is None:
        return record
    return replace(record, config=replace(record.config, dataset=label))


def _details(tables: Sequence[Table]) -> list[str]:
    """Return what tells each of different tables from the others.

    That is the start of the checksum; where contents are equal, also the target, and where targets
    are equal too, the start of the checksum of the definition.
    """
    details = [""] * len(tables)
    for describe in (_checksums, _targets, _definitions):
        texts = describe(tables)
        if len(set(zip(details, texts, strict=True))) > len(set(details)):
            pairs = zip(details, texts, strict=True)
            details = [", ".join(filter(None, pair)) for pair in pairs]
        if len(set(details)) == len(tables):
            break
    return details


def _checksums(tables: Sequence[Table]) -> list[str]:
    sums = [str(table.get("checksum")) for table in tables]
    return _shortened([text.rpartition(":")[2] for text in sums])


def _targets(tables: Sequence[Table]) -> list[str]:
    return [f"target {table.get('target')}" for table in tables]


def _definitions(tables: Sequence[Table]) -> list[str]:
    sums = [hashlib.sha256(_text(table).encode()).hexdigest() for table in tables]
    return [f"definition {text}" for text in _shortened(sums)]


def _shortened(sums: Sequence[str]) -> list[str]:
    """Return the first digits of each, as many as tell different ones apart."""
    n = SHORTEST
    while len({text[:n] for text in sums}) < len(set(sums)):
        n += 1
    return [f"{text[:n]}…" for text in sums]


def _text(table: Table) -> str:
    """Return a text that is equal for equal tables."""
    return json.dumps(table, sort_keys=True)

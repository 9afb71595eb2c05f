"""Tables of one name that differ in content or definition are different data sets.

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

Table = dict[str, Any]
SHORTEST = 4  # hexadecimal digits of a checksum


def told_apart(records: Iterable[Record]) -> list[Record]:
    """Return the records, with a label as `config.dataset` where different tables share a name."""
    every = list(records)
    tables_of_name: dict[str, dict[str, Table]] = defaultdict(dict)
    for record in every:
        table = record.config.table
        if table is not None:
            tables_of_name[record.config.dataset][_text(table)] = table
    labels: dict[tuple[str, str], str] = {}
    for name, tables in tables_of_name.items():
        if len(tables) > 1:
            details = _details(list(tables.values()))
            for text, detail in zip(tables, details, strict=True):
                labels[name, text] = f"{name} ({detail})"
    if not labels:
        return every
    return [_labelled(record, labels) for record in every]


def _labelled(record: Record, labels: dict[tuple[str, str], str]) -> Record:
    config = record.config
    if config.table is None:
        return record
    label = labels.get((config.dataset, _text(config.table)))
    if label is None:
        return record
    return replace(record, config=replace(config, dataset=label))


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
    return _shortened([text.removeprefix("sha256:") for text in sums])


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

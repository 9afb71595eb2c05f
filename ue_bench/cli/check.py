"""Committed results are held to rules like code: what is wrong with a results folder, and with the prose that is made from it."""

import json
from collections import Counter
from collections.abc import Collection, Iterable, Iterator
from dataclasses import asdict
from pathlib import Path

from ue_bench.errors import BenchError
from ue_bench.record import SPEED, Record, SpeedRecord, load
from ue_bench.report.evidence.evidence import Evidence
from ue_bench.report.page.prose import BLOCK, refresh
from ue_bench.strategies import all_strategies
from ue_bench.study import names
from ue_bench.training.resolve import resolve


def check(
    results: Path, documents: Iterable[Path] = (), studies: Collection[str] = ()
) -> list[str]:
    """One line a fault of the records in `results`, and of the blocks in `documents` (Markdown) that differ from them.

    Records parse (which leaves out NaN and infinity), are unique, finished, made from a clean commit, and name studies and
    strategies that exist; bytes add up. studies: names of more studies than those of the package.
    Raises BenchError where the folder or a document cannot be read.
    """
    records, faults = load(results)
    if not records:
        faults.append(f"{results}: no record")
    known = {*names(), *studies}
    for record in records:
        faults += [
            f"{results / record.study / record.run_id}.json: {fault}"
            for fault in _faults(record, known)
        ]
    twice = Counter(_asked(record) for record in records)
    faults += [
        f"{results / study}: {count} {phase} runs of one configuration: {asked}"
        for (study, phase, asked), count in twice.items()
        if count > 1
    ]
    return [*faults, *_stale(records, results, documents)]


def _faults(record: Record | SpeedRecord, studies: Collection[str]) -> Iterator[str]:
    if isinstance(record, SpeedRecord):
        if record.study != SPEED or record.status != "ok":
            yield f"study {record.study!r}, {record.status}: only whole measurements of speed that ended well are published"
        elif not _clean(record):
            yield "not made from a clean commit"
        return
    if record.study not in studies:
        yield f"unknown study {record.study!r}; name the file of one that is not the package's with --study"
    strategies = all_strategies()
    config = record.config
    if config.strategy not in strategies:
        yield f"unknown strategy {config.strategy!r}"
        return
    try:
        if config.run_id != record.run_id or resolve(config) != config:
            yield f"its configuration, resolved, is that of run {resolve(config).run_id}"
    except BenchError as error:
        yield f"configuration: {error}"
        return
    if record.status != "ok":
        if record.status != "infeasible":  # that a budget cannot work is an answer
            yield f"{record.status}: {record.error}"
        return
    if not _clean(record):
        yield "not made from a clean commit"
    cost = record.cost
    paid = cost["table_bytes"] + cost["auxiliary_bytes"]
    if cost["total_bytes"] != paid + cost["vocabulary_bytes"]:
        yield f"total_bytes {cost['total_bytes']} is not the sum of its parts"
    if (
        config.budget
        and strategies[config.strategy].has_budget
        and not 0.9 * config.budget <= paid <= config.budget
    ):
        yield f"table and auxiliary take {paid} bytes of a budget of {config.budget}"


def _clean(record: Record | SpeedRecord) -> bool:
    return bool(record.env.get("git_sha")) and record.env.get("git_dirty") is False


def _asked(record: Record | SpeedRecord) -> tuple[str, str, str]:
    config = asdict(record.config)
    config.pop("measure", None)
    return record.study, record.phase, json.dumps(config, sort_keys=True)


def _stale(
    records: list[Record | SpeedRecord], results: Path, documents: Iterable[Path]
) -> Iterator[str]:
    """The documents whose blocks differ from what the records say."""
    evidence = Evidence(records)
    for path in documents:
        try:
            text = path.read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as error:
            raise BenchError(f"{path} cannot be read ({error}); give Markdown files") from error
        for block in BLOCK.finditer(text):
            try:
                same = refresh(block[0], evidence) == block[0]
            except BenchError as error:
                yield f"{path}: {error}"
                continue
            if not same:
                yield (
                    f"{path}: the block {block['words']!r} differs from the records; "
                    f"run: ue-bench report --results {results} --update {path}"
                )

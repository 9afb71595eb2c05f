"""One results folder from several: their records, each copied once."""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from ue_bench.errors import BenchError
from ue_bench.record.record import Record, SpeedRecord
from ue_bench.record.store import load, write


@dataclass
class Merged:
    """What became of the records of a study.

    written: new ones, and good runs in the place of failed ones. ready: equal ones that were there.
    kept: other good records of the same runs, which were there and stay.
    """

    written: int = 0
    ready: int = 0
    kept: int = 0


def merge(sources: Iterable[Path], results: Path) -> tuple[dict[str, Merged], list[str]]:
    """Copy the records of results folders into `results`.

    Returns what became of each study, by name, and a line for each file that is no record. Where
    several sources have a run, the first good record counts. Raises BenchError for a source that
    does not exist or is `results` itself, and for a file that cannot be written.
    """
    sources = list(sources)
    for source in sources:
        if source.resolve() == results.resolve():
            raise BenchError(f"{source} was given and is --results itself; leave it out")
    held: dict[tuple[str, str], Record | SpeedRecord] = {}
    skipped: list[str] = []
    if results.exists():
        records, skipped = load(results)
        held = {(record.study, record.run_id): record for record in records}
    outcome: dict[str, Merged] = {}
    for source in sources:
        records, left_out = load(source)
        skipped += left_out
        for record in records:
            found = outcome.setdefault(record.study, Merged())
            known = held.get((record.study, record.run_id))
            if known is None or (_is_good(record) and not _is_good(known)):
                write(record, results)
                held[record.study, record.run_id] = record
                found.written += 1
            elif record == known or not _is_good(record):
                found.ready += 1
            else:
                found.kept += 1
    return outcome, skipped


def _is_good(record: Record | SpeedRecord) -> bool:
    """Return whether a record is an answer, and no failure."""
    return not isinstance(record, Record) or record.status != "failed"

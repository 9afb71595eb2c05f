"""The results folder of a study, rebuilt from a storage: records ride in the trials."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import optuna
from optuna.trial import TrialState

from ue_bench import record as records_room
from ue_bench.errors import BenchError, unknown
from ue_bench.record import Record
from ue_bench.record.lock import alone
from ue_bench.study.shared.chains import FAILURE, RECORD, chains
from ue_bench.study.shared.executor import Named
from ue_bench.study.shared.storage import Storage


@dataclass
class Pulled:
    """What became of the records of one study. ready: files that were equal. kept: other files of a good run, left alone."""

    written: int = 0
    ready: int = 0
    kept: int = 0
    running: int = 0  # trials that still run
    damaged: list[str] = field(default_factory=list)  # what is wrong with which trial


def pull(storage: Storage, results: Path, only: str | None = None) -> dict[str, Pulled]:
    """Write the records that the storage has (of one study) into `results`; what became of them, by study.

    A file that is there and holds a good run stays. Raises BenchError for a study that the storage does not have, and when
    another command works in a study's folder.
    """
    names = [named for named in map(Named.read, storage.names()) if named]
    there = sorted({named.study for named in names})
    if only is not None and only not in there:
        raise unknown(f"study in {storage.name}", only, there)
    if not there:
        raise BenchError(
            f"{storage.name} has no study of ue-bench; run: ue-bench worker --study NAME --storage URL"
        )
    outcome: dict[str, Pulled] = {}
    for study in [only] if only else there:
        records_room.require_writable(results / study)
        outcome[study] = Pulled()
        found: dict[str, Record] = {}
        for named in names:
            if named.study == study:
                for record in _records(storage, named, outcome[study]):
                    if record.status == "ok" or record.run_id not in found:
                        found[record.run_id] = record
        with alone(results / study):
            for record in found.values():
                _put(record, results, outcome[study])
    return outcome


def _records(storage: Storage, named: Named, outcome: Pulled) -> Iterator[Record]:
    loaded = storage.steadily(
        lambda: optuna.load_study(study_name=str(named), storage=storage.cached)
    )
    for chain in chains(storage.steadily(lambda: loaded.get_trials(deepcopy=False))):
        outcome.running += chain.trial.state == TrialState.RUNNING
        if not (chain.ran or chain.failed):
            continue
        where = f"trial {chain.trial.number} of {named}"
        try:
            record = records_room.parse_run(
                chain.attributes[RECORD if chain.ran else FAILURE].encode(), where
            )
            if record.study != named.study or record.config.run_id != record.run_id:
                raise BenchError(f"{where}: its record is that of another run or study")
        except BenchError as error:
            outcome.damaged.append(str(error))
            continue
        yield record


def _put(record: Record, results: Path, outcome: Pulled) -> None:
    path = records_room.path_of(results, record.study, record.run_id)
    if path.exists():
        if path.read_text(encoding="utf-8", errors="replace") == record.to_json():
            outcome.ready += 1
            return
        try:
            there = records_room.read(path)
        except BenchError:  # a file that nobody can use may go
            there = None
        if there and there.status == "ok":
            outcome.kept += 1
            return
    records_room.write(record, results)
    outcome.written += 1

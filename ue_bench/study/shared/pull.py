"""Rebuilds the results folder of a study from a storage, whose trials carry the records."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import optuna
from optuna.trial import TrialState

from ue_bench import record as records_room
from ue_bench.errors import BenchError, unknown
from ue_bench.record import Record
from ue_bench.record.merge import Arrived, add
from ue_bench.study.shared.chains import FAILURE, RECORD, Chain, chains
from ue_bench.study.shared.part_name import PartName
from ue_bench.study.shared.storage import Storage, StorageDamaged


@dataclass
class Pulled(Arrived):
    """What became of the records of one study, and of trials that gave none.

    running: trials that still run. damaged: a line for each trial whose record is damaged.
    unreadable: why no trial of some part of the study can be read; None: all can.
    """

    running: int = 0
    unreadable: str | None = None
    damaged: list[str] = field(default_factory=list)


def pull(storage: Storage, results: Path, only: str | None = None) -> dict[str, Pulled]:
    """Write the records of a storage into `results`; return what became of them, by study.

    only: this study alone. A file that holds a good run is not replaced. Raises BenchError for a
    study that the storage does not have, for records of a study that were made on different data of
    one name, in the storage or in the folder, and if another command works in a study's folder.
    """
    parts: dict[str, list[PartName]] = {}
    for name in storage.names():
        part = PartName.read(name)
        if part is not None:
            parts.setdefault(part.study, []).append(part)
    if only is not None and only not in parts:
        raise unknown(f"study in {storage.name}", only, parts)
    if not parts:
        raise BenchError(
            f"{storage.name} has no study of ue-bench; "
            "run: ue-bench worker --study NAME --storage URL"
        )
    outcomes = {}
    for study in sorted(parts):
        if only in (None, study):
            outcomes[study] = _pull_study(storage, parts[study], results)
    return outcomes


def _pull_study(storage: Storage, parts: list[PartName], results: Path) -> Pulled:
    outcome = Pulled()
    records: list[Record] = []
    for part in parts:
        try:
            records += _records(storage, part, outcome)
        except StorageDamaged as error:  # other parts may be whole
            outcome.unreadable = str(error)
    add(records, results, parts[0].study, storage.name, outcome)
    return outcome


def _records(storage: Storage, part: PartName, outcome: Pulled) -> Iterator[Record]:
    """Yield the records of a part, and count the trials that have none or a damaged one."""
    study = storage.steadily(
        lambda: optuna.load_study(study_name=str(part), storage=storage.cached)
    )
    for chain in storage.steadily(lambda: chains(study.get_trials(deepcopy=False))):
        if chain.trial.state == TrialState.RUNNING:
            outcome.running += 1
        if not (chain.ran or chain.failed):
            continue
        try:
            yield _record_of(chain, part)
        except BenchError as error:
            outcome.damaged.append(str(error))


def _record_of(chain: Chain, part: PartName) -> Record:
    """Return the record of a trial. Raises BenchError if it is damaged or of another run."""
    where = f"trial {chain.trial.number} of {part}"
    key = RECORD if chain.ran else FAILURE
    record = records_room.parse_run(chain.attributes[key].encode(), where)
    if record.study != part.study:
        raise BenchError(f"{where}: its record is that of study {record.study!r}")
    return record

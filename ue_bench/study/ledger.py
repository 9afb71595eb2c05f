"""What a study knows of its records while it runs, and counts of what became of its runs."""

from dataclasses import dataclass, field

from ue_bench.config import RunConfig
from ue_bench.record import Record
from ue_bench.study.plan import ListStage
from ue_bench.study.search_records import blind


@dataclass
class Ledger:
    """What is wanted, what is known, and what happened.

    All records are `blind`, so that the memory of a command hardly grows with the runs that it has
    made. The whole ones are where they were written.

    wanted: all configurations so far, by run id, in order. answers: the records of runs that need
    not run again. failures: the failed records of earlier commands. made: runs of this command.
    ready: wanted runs that were known before. infeasible: records of runs whose strategy cannot
    work with its budget, which is an answer.
    """

    wanted: dict[str, RunConfig] = field(default_factory=dict)
    answers: dict[str, Record] = field(default_factory=dict)
    failures: dict[str, Record] = field(default_factory=dict)
    made: int = 0
    ready: int = 0
    failed: list[Record] = field(default_factory=list)
    infeasible: list[Record] = field(default_factory=list)

    def load(self, record: Record) -> None:
        """Take a record of an earlier command; a run that failed will run again."""
        record = blind(record)
        if record.status == "failed":
            self.failures[record.run_id] = record
        else:
            self.answers[record.run_id] = record

    def keep(self, record: Record) -> None:
        """Take the record of a run that this command made."""
        self.made += 1
        record = blind(record)
        if record.status == "failed":
            self.failed.append(record)
            return
        self.answers[record.run_id] = record
        if record.status == "infeasible":
            self.infeasible.append(record)

    def missing(self, stage: ListStage) -> list[RunConfig]:
        """Return the configurations of a list that have no record, and count the others."""
        missing = []
        for run_id, config in stage.configs.items():
            if run_id not in self.answers:
                missing.append(config)
        self.ready += len(stage.configs) - len(missing)
        return missing

    def records(self) -> list[Record]:
        """Return what is known of all that is wanted, in order."""
        return [self.answers[run_id] for run_id in self.wanted if run_id in self.answers]

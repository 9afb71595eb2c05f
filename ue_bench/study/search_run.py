"""The state of one search under way: which trial to run next, and what its record means for it."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

from ue_bench.config import RunConfig
from ue_bench.errors import BenchError
from ue_bench.record import Record
from ue_bench.study.plan import SearchStage, Trial
from ue_bench.study.sampler import PROPOSALS_PER_TRIAL, Sampler
from ue_bench.study.search_records import belongs, blind, trial_facts


@dataclass(frozen=True)
class Tally:
    """How far a search is.

    wanted: trials. answered: different configurations with an ok record. pending: trials under
    way. lost: configurations that failed or cannot work. proposals: made so far.
    """

    wanted: int
    answered: int
    pending: int
    lost: int
    proposals: int

    @property
    def _hopeless(self) -> bool:
        """Whether more proposals are pointless: the space is used up, or as many trials fail as
        are wanted."""
        return self.proposals >= PROPOSALS_PER_TRIAL * self.wanted or self.lost >= self.wanted

    @property
    def enough(self) -> bool:
        """Whether another trial would be one too many."""
        return self._hopeless or self.answered + self.pending >= self.wanted

    @property
    def over(self) -> bool:
        """Whether nothing is left to do or to wait for."""
        return self.answered >= self.wanted or (self._hopeless and not self.pending)


class _Running(NamedTuple):
    trial: Trial
    proposal: Any  # optuna.Trial


class SearchRun:
    """A search that asks its sampler until enough configurations have an ok record.

    It asks from the beginning, and records that are known answer at once: an interrupted search
    goes on as if it had not been interrupted. It starts no process and writes no record.

    answers: the records of the study by run id, those of this search included as they come.
    """

    unit = "trials"

    def __init__(self, stage: SearchStage, sampler: Sampler, answers: Mapping[str, Record]) -> None:
        self.search = stage.search
        self.base = stage.base
        self.known = stage.known
        self.label = stage.label
        self.total = stage.search.trials
        self.first = stage.base
        self.alone = False
        self.lost: dict[str, Record] = {}
        self._sampler = sampler
        self._answers = answers
        self._running: dict[str, _Running] = {}
        self._to_repeat: list[Trial] = []
        self._trial_ids: set[str] = set()  # of this search, whichever command ran them
        self._numbers: set[int] = set()
        for record in self.known.values():
            if "trial" in record.found:
                self._numbers.add(record.found["trial"]["number"])

    @property
    def finished(self) -> int:
        """How many trials have an ok record."""
        return len(self.known)

    @property
    def tally(self) -> Tally:
        return Tally(
            wanted=self.search.trials,
            answered=len(self.known),
            pending=len(self._running),
            lost=len(self.lost),
            proposals=self._sampler.proposals,
        )

    @property
    def over(self) -> bool:
        return self.tally.over

    def next(self) -> Trial | None:
        """Return a trial that must be run, or None: nothing can be started now."""
        if self._to_repeat:
            return self._to_repeat.pop()
        while not self.tally.enough:
            proposal, config = self._sampler.ask()
            run_id = config.run_id
            if run_id in self._answers:
                self._answer_at_once(proposal, self._answers[run_id])
            elif run_id in self._running or run_id in self.lost:
                self._sampler.tell(proposal, None)
            else:
                return self._start(proposal, config)
        return None

    def answer(self, record: Record) -> bool:
        """Take the record of a trial that ran; return False where the trial must run once more.

        A trial whose process was killed runs again: without its record the search would go
        another way.
        """
        trial, proposal = self._running[record.run_id]
        if record.cause == "killed" and not trial.again:
            trial = replace(trial, again=True)
            self._running[record.run_id] = _Running(trial, proposal)
            self._to_repeat.append(trial)
            return False
        del self._running[record.run_id]
        record = blind(record)
        self._sampler.tell(proposal, record)
        if record.status == "ok":
            self.known[record.run_id] = record
        else:
            self.lost[record.run_id] = record
        return True

    def close(self, study: str) -> None:
        """Report all known records to the sampler. Raises BenchError where the trials fail."""
        self._sampler.learn(self.known.values())
        require_working(study, self.search.trials, self.lost)

    def _answer_at_once(self, proposal: Any, record: Record) -> None:
        record = blind(record)
        self._sampler.tell(proposal, record)
        if record.phase == "search":
            self._trial_ids.add(record.run_id)
        if record.status != "ok":
            self.lost[record.run_id] = record
        elif belongs(record, self.base, self.search):
            # Otherwise the run is the trial of another sampler, which asked for it first.
            self.known[record.run_id] = record

    def _start(self, proposal: Any, config: RunConfig) -> Trial:
        number = len(self._trial_ids)
        if number in self._numbers:
            # Several workers ran the trials in another order. The sampler learns all that is
            # known before it proposes the next one.
            self._sampler.learn(self.known.values())
            number = max(self._numbers) + 1
        self._trial_ids.add(config.run_id)
        self._numbers.add(number)
        trial = Trial(config, "search", trial_facts(self.search, number))
        self._running[config.run_id] = _Running(trial, proposal)
        return trial


def require_working(study: str, wanted: int, lost: Mapping[str, Record]) -> None:
    """Raise BenchError if as many trials failed as were wanted.

    A budget that cannot work is an answer and does not count.
    """
    failures = [record for record in lost.values() if record.status != "infeasible"]
    if len(failures) >= wanted:
        raise BenchError(
            f"search of {study}: {len(failures)} trials failed; the last one: {failures[-1].error}"
        )

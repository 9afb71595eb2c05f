"""The state of one search under way: which trial to run next, and what its record means for it."""

from collections import deque
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from ue_bench.config import RunConfig
from ue_bench.errors import BenchError
from ue_bench.record import Record
from ue_bench.study.plan import SearchStage, Trial
from ue_bench.study.sampler import PROPOSALS_PER_TRIAL, Sampler
from ue_bench.study.search_records import belongs, blind, is_trial, number_of, trial_facts


@dataclass
class _Slot:
    """A place in a batch.

    proposal: Optuna's trial. record: what answered it; None: its run is still to come or under way.
    """

    trial: Trial
    proposal: Any  # optuna.Trial
    record: Record | None = None


class SearchRun:
    """A search that asks its sampler for batches until enough configurations have an ok record.

    All trials of a batch are proposed before any of them is answered, and after all trials of the
    batches before. The sampler learns the answers of a batch in the order of its trials. What is
    proposed thus follows from the search alone: neither the number of workers nor the order in
    which runs end has a part in it. The search always asks from the beginning, and records that are
    known answer at once: an interrupted search goes on as if it had not been interrupted. It starts
    no process and writes no record.

    answers: the records of the study by run id. failures: the failed records of earlier commands by
    run id. Such a run is repeated, unless a later batch was proposed after its failure.
    """

    unit = "trials"

    def __init__(
        self,
        stage: SearchStage,
        sampler: Sampler,
        answers: Mapping[str, Record],
        failures: Mapping[str, Record] | None = None,
    ) -> None:
        self.search = stage.search
        self.base = stage.base
        self.known = stage.known
        self.label = stage.label
        self.total = stage.search.trials
        self.first = stage.base
        self.alone = False
        self.lost: dict[str, Record] = {}
        self._stage = stage
        self._sampler = sampler
        self._answers = answers
        self._failures = failures or {}
        self._batch: list[_Slot] = []
        self._waiting: deque[Trial] = deque()
        self._n_slots = 0
        # What the sampler knows: evidence, then the trials of all batches that are over.
        self._learned: dict[str, Record] = {record.run_id: record for record in stage.evidence}
        self._n_answered = len(self._learned)
        self._first_number = _next_number(self._learned.values())
        # The known trials that no batch has reached yet.
        self._ahead: dict[str, Record] = {}
        for run_id, record in self.known.items():
            if run_id not in self._learned:
                self._ahead[run_id] = record

    @property
    def finished(self) -> int:
        """How many trials have an ok record."""
        return len(self.known)

    @property
    def over(self) -> bool:
        """Whether nothing is left to do or to wait for."""
        return not self._pending and self._enough

    def next(self) -> Trial | None:
        """Return a trial that must be run, or None: nothing can be started now."""
        while not self._waiting and not self._pending and not self._enough:
            self._open_batch()
        if self._waiting:
            return self._waiting.popleft()
        return None

    def answer(self, record: Record) -> bool:
        """Take the record of a trial that ran; return False where the trial must run once more.

        A trial whose process was killed runs again: without its record the search would go
        another way.
        """
        slot = self._slot(record.run_id)
        if record.cause == "killed" and not slot.trial.again:
            slot.trial = replace(slot.trial, again=True)
            self._waiting.append(slot.trial)
            return False
        self.settle(record)
        return True

    def settle(self, record: Record) -> None:
        """Take the record of a trial for good."""
        self._slot(record.run_id).record = record
        if record.status == "ok":
            self.known[record.run_id] = blind(record)
        self._close_batch()

    def close(self, study: str) -> None:
        """Report all known records to the sampler, and put them in the order of their trials.

        Raises BenchError where the trials fail.
        """
        ordered = {}
        for run_id in (*self._learned, *self.known):
            if run_id in self.known:
                ordered[run_id] = self.known[run_id]
        self.known.clear()
        self.known.update(ordered)
        self._sampler.learn(self.known.values())
        require_working(study, self.search.trials, self.lost)

    @property
    def _pending(self) -> bool:
        """Whether a trial of the batch has no answer."""
        return any(slot.record is None for slot in self._batch)

    @property
    def _enough(self) -> bool:
        """Whether another batch would be one too many."""
        return len(self.known) >= self.search.trials or self._has_enough(0)

    def _has_enough(self, n_more: int) -> bool:
        """Return whether more proposals are pointless, were `n_more` trials to run well.

        They are where the space is used up, or where as many trials failed as are wanted.
        """
        wanted = self.search.trials
        if self._n_answered + n_more >= wanted or len(self.lost) >= wanted:
            return True
        return self._sampler.proposals >= PROPOSALS_PER_TRIAL * wanted

    def _open_batch(self) -> None:
        """Propose the trials of the next batch, and answer those whose records are known."""
        proposed: dict[str, _Slot] = {}
        while len(proposed) < self.search.batch and not self._has_enough(len(proposed)):
            proposal, config = self._sampler.ask()
            run_id = config.run_id
            if run_id in proposed:
                self._sampler.tell(proposal, None)
            elif run_id in self._learned:
                self._sampler.tell(proposal, self._learned[run_id])
            elif self._was_asked_before(run_id):
                self._learn(proposal, self._answers[run_id])
            elif self._leads_elsewhere(run_id) and run_id in self._learn_all():
                self._sampler.tell(proposal, self._learned[run_id])
            else:
                proposed[run_id] = self._new_slot(proposal, config)
        self._batch = list(proposed.values())
        for run_id, slot in proposed.items():
            slot.record = self._known_record(run_id)
            if slot.record is None:
                self._waiting.append(slot.trial)
        self._close_batch()

    def _new_slot(self, proposal: Any, config: RunConfig) -> _Slot:
        facts = trial_facts(self.search, self._first_number + self._n_slots)
        self._n_slots += 1
        self._ahead.pop(config.run_id, None)
        return _Slot(Trial(config, "search", facts), proposal)

    def _was_asked_before(self, run_id: str) -> bool:
        """Return whether an earlier part of the study has made this run."""
        if run_id not in self._stage.asked_before or run_id not in self._answers:
            return False
        return not is_trial(self._answers[run_id], self.search)

    def _close_batch(self) -> None:
        """Report the answers of the batch to the sampler, if all are there."""
        if self._pending:
            return
        for slot in self._batch:
            assert slot.record is not None  # nosec B101 # for the type checker: none is pending
            self._learn(slot.proposal, slot.record)
        self._batch = []

    def _learn(self, proposal: Any, record: Record) -> None:
        record = blind(record)
        self._sampler.tell(proposal, record)
        self._learned[record.run_id] = record
        if record.status != "ok":
            self.lost[record.run_id] = record
        elif record.run_id in self.known or belongs(record, self.base, self.search):
            # Otherwise the run is the trial of another sampler, which asked for it first.
            self.known[record.run_id] = record
            self._n_answered += 1

    def _known_record(self, run_id: str) -> Record | None:
        """Return the record of a trial of the batch that need not run; None: it must run."""
        if run_id in self._answers:
            return self._answers[run_id]
        if self._ahead:  # later batches were proposed after the trials of this one had ended
            return self._failures.get(run_id)
        return None

    def _leads_elsewhere(self, run_id: str) -> bool:
        """Return whether the known trials of the search are not those that it proposes now.

        Another version of Optuna made them, or the earlier parts of the study were others.

        run_id: of the next trial.
        """
        number = self._first_number + self._n_slots
        for known_id, record in self._ahead.items():
            if (known_id == run_id) != (number_of(record) == number):
                return True
        return False

    def _learn_all(self) -> dict[str, Record]:
        """Report all known trials to the sampler; number new ones after them. Return all that it
        has learned.
        """
        self._sampler.learn(self._ahead.values())
        self._learned |= self._ahead
        self._n_answered += len(self._ahead)
        self._first_number = _next_number(self._ahead.values()) - self._n_slots
        self._ahead = {}
        return self._learned

    def _slot(self, run_id: str) -> _Slot:
        for slot in self._batch:
            if slot.trial.config.run_id == run_id:
                return slot
        raise KeyError(run_id)


def _next_number(records: Iterable[Record]) -> int:
    """Return the number of the first trial after these."""
    numbers = [number_of(record) for record in records]
    return max((number for number in numbers if number is not None), default=-1) + 1


def require_working(study: str, wanted: int, lost: Mapping[str, Record]) -> None:
    """Raise BenchError if as many trials failed as were wanted.

    A budget that cannot work is an answer and does not count.
    """
    failures = [record for record in lost.values() if record.status != "infeasible"]
    if len(failures) >= wanted:
        raise BenchError(
            f"search of {study}: {len(failures)} trials failed; the last one: {failures[-1].error}"
        )

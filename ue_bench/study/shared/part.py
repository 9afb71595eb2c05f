"""One part of a study in the storage, whose runs free workers take one at a time."""

import copy
import random
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import partial
from typing import Any, Protocol

import optuna
from optuna.distributions import BaseDistribution
from optuna.exceptions import UpdateFinishedTrialError
from optuna.storages import fail_stale_trials
from optuna.trial import FrozenTrial, TrialState

from ue_bench.errors import BenchError
from ue_bench.progress import note
from ue_bench.record import Record, parse_run
from ue_bench.study.processes import Job
from ue_bench.study.shared.chains import BEATS, CLAIM, FAILURE, RECORD, VOID, Chain, chains
from ue_bench.study.shared.storage import RETRIES, Storage

PAUSE = 2.0  # seconds between two looks of a worker that has nothing to do


@dataclass(frozen=True)
class Void:
    """The decision that nothing is run for a trial, and why."""

    why: str


class Task(Protocol):
    """What a part asks for.

    Its answers follow from the chains alone, so that all workers get the same ones.
    """

    def over(self, chains: list[Chain]) -> bool:
        """Return whether nothing is left to do or to wait for."""

    def wants(self, chains: list[Chain]) -> bool:
        """Return whether one more trial would find something to do."""

    def decide(self, part: "Part", number: int) -> Job | Void:
        """Return what the trial of this number stands for."""

    def values(self, record: Record) -> list[float]:
        """Return what Optuna learns of an ok record."""


class Part:
    """The Optuna study of a part.

    run: does a job in a process of its own and returns its record.
    """

    def __init__(
        self, storage: Storage, name: str, n_objectives: int, run: Callable[[Job], Record]
    ) -> None:
        self.storage = storage
        self.name = name
        self.study = storage.study(name, n_objectives)
        self._run = run
        self._id = storage.steadily(lambda: storage.backend.get_study_id_from_name(name))
        # Other workers' trials for which this worker has recorded the first heartbeat.
        self._first_beats: set[int] = set()
        # When this worker first saw that nothing stands in for a lost trial, by its number.
        self._broken_since: dict[int, float] = {}
        self._records: dict[int, Record] = {}

    def work(self, task: Task) -> Iterator[list[Chain]]:
        """Take part until the task is over; yield the chains whenever there may be news.

        The chains that come last are final.
        """
        while True:
            current = self.look()
            yield current
            if task.over(current):
                return
            waiting = any(chain.trial.state == TrialState.WAITING for chain in current)
            if waiting or task.wants(current):
                self._take(task)
            else:
                self.pause()

    def pause(self) -> None:
        """Wait for other workers, for a random time, so that workers do not look in step."""
        time.sleep(min(PAUSE, self.storage.heartbeat / 3) * random.uniform(0.5, 1.5))

    def look(self) -> list[Chain]:
        """Return the chains as they are now.

        The trials of lost workers become failed, and are queued again if nobody else does it.
        Raises BenchError if a run was lost too often.
        """
        current = self.storage.steadily(self._look)
        for chain in current:
            if chain.broken and chain.lost >= RETRIES:
                raise BenchError(
                    f"{self.name}: trial {chain.trial.number} was lost with its worker, as were "
                    f"the {chain.lost} before it that did the same run; see why these workers "
                    "ended, then give another --seed or an empty database"
                )
        return current

    def record(self, chain: Chain) -> Record:
        """Return the record of a chain that ran or failed. Raises BenchError if it is damaged."""
        number = chain.trial.number
        if number not in self._records:
            key = RECORD if chain.ran else FAILURE
            text = chain.attributes[key]
            self._records[number] = parse_run(text.encode(), f"trial {number} of {self.name}")
        return self._records[number]

    def find(self, number: int) -> tuple[list[Chain], int | None]:
        """Return the chains, and the index of the one that ends with the trial of this number.

        The index is None if another trial already stands in for that one.
        """
        current = self.look()
        for index, chain in enumerate(current):
            if chain.trial.number == number:
                return current, index
        return current, None

    def claim(
        self,
        trial: FrozenTrial,
        run_id: str,
        values: dict[str, Any],
        distributions: dict[str, BaseDistribution],
    ) -> None:
        """Write down which run a trial of a search does, and what this run proposes."""
        trial_id = self._trial_id(trial.number)
        backend = self.storage.backend
        self.storage.steadily(lambda: backend.set_trial_user_attr(trial_id, CLAIM, run_id))
        for name, value in values.items():
            distribution = distributions[name]
            internal = distribution.to_internal_repr(value)
            set_param = partial(backend.set_trial_param, trial_id, name, internal, distribution)
            self.storage.steadily(set_param)

    def _look(self) -> list[Chain]:
        if self.storage.heard_all:
            fail_stale_trials(self.study)
        current = chains(self.study.get_trials(deepcopy=False))
        for chain in current:
            trial = chain.trial
            if trial.state == TrialState.RUNNING and trial.user_attrs.get(BEATS) != trial.number:
                self._record_first_beat(trial.number)
            elif chain.broken and self._is_abandoned(trial.number):
                self.storage.retry(self.study, copy.deepcopy(trial))
        return current

    def _record_first_beat(self, number: int) -> None:
        """Record a heartbeat for a trial whose worker has not recorded one yet.

        Optuna notices a missing heartbeat only after a first one: a worker that ended before it
        would be waited for forever.
        """
        if number not in self._first_beats:
            self.storage.backend.record_heartbeat(self._trial_id(number))
            self._first_beats.add(number)

    def _is_abandoned(self, number: int) -> bool:
        """Return whether nobody queued a lost trial again within a heartbeat.

        Its worker was interrupted, or the worker that noticed the loss ended too.
        """
        now = time.monotonic()
        return now - self._broken_since.setdefault(number, now) > self.storage.heartbeat

    def _trial_id(self, number: int) -> int:
        backend = self.storage.backend
        return self.storage.steadily(
            lambda: backend.get_trial_id_from_study_id_trial_number(self._id, number)
        )

    def _take(self, task: Task) -> None:
        """Ask the storage for a trial and do what it stands for."""
        trial = self.storage.steadily(self.study.ask)
        try:
            with self._beating(trial.number):
                record, attributes = self._do(task, trial)
            self._tell(task, trial, record, attributes)
        except UpdateFinishedTrialError:
            note(
                f"{self.name}: trial {trial.number} was given to another worker, because this one "
                f"was silent for more than {self.storage.grace} seconds"
            )
        except BaseException:
            # After an interrupt or a bug, others need not wait until the silence is noticed.
            # No error of this last word may take the place of what ended the worker.
            with suppress(Exception):
                self.study.tell(trial.number, state=TrialState.FAIL, skip_if_finished=True)
            raise

    def _do(self, task: Task, trial: optuna.Trial) -> tuple[Record | None, dict[str, object]]:
        """Return the record of a trial, if any, and the attributes that go with it."""
        # The trial may stand in for one whose worker was lost while it wrote its result.
        inherited = trial.user_attrs
        for key in (RECORD, FAILURE):
            if key in inherited:
                where = f"trial {trial.number} of {self.name}"
                return parse_run(inherited[key].encode(), where), {}
        if VOID in inherited:
            return None, {}
        decision = task.decide(self, trial.number)
        if isinstance(decision, Void):
            return None, {VOID: decision.why}
        record = self._run(decision)
        key = RECORD if record.status == "ok" else FAILURE
        return record, {key: record.to_json()}

    def _tell(
        self,
        task: Task,
        trial: optuna.Trial,
        record: Record | None,
        attributes: dict[str, object],
    ) -> None:
        # Each step by itself: the trial may be finished where the answer to the last step is lost,
        # and a finished trial takes no attribute any more.
        for key, value in attributes.items():
            self.storage.steadily(partial(trial.set_user_attr, key, value))
        if record is None or record.status != "ok":
            outcome: dict[str, Any] = {"state": TrialState.FAIL}
        else:
            outcome = {"values": task.values(record)}
        tell = partial(self.study.tell, trial.number, skip_if_finished=True, **outcome)
        self.storage.steadily(tell)

    @contextmanager
    def _beating(self, number: int) -> Iterator[None]:
        """Record a heartbeat of the trial now and at intervals, in a thread.

        A server that does not answer for a while does not end it. What else goes wrong is met by
        the worker itself when it writes the record.
        """
        trial_id = self._trial_id(number)
        over = threading.Event()
        backend = self.storage.backend

        def beat() -> None:
            pause = float(self.storage.heartbeat)
            while not over.wait(pause):
                try:
                    backend.record_heartbeat(trial_id)
                except Exception:
                    self.storage.hear(answer=False)
                    pause = self.storage.heartbeat / 4
                else:
                    self.storage.hear(answer=True)
                    pause = float(self.storage.heartbeat)
            backend.remove_session()

        self.storage.steadily(lambda: backend.record_heartbeat(trial_id))
        self.storage.steadily(lambda: backend.set_trial_user_attr(trial_id, BEATS, number))
        thread = threading.Thread(target=beat, daemon=True)
        thread.start()
        try:
            yield
        finally:
            over.set()
            thread.join()

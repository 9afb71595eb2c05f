"""The state of a list of runs under way."""

from collections import deque

from ue_bench.config import RunConfig
from ue_bench.record import Record
from ue_bench.study.plan import ListStage, Request


class ListRun:
    """The runs of a list that have no record yet, in the order of the list."""

    unit = "runs"

    def __init__(self, stage: ListStage, missing: list[RunConfig]) -> None:
        self.label = stage.label
        self.total = len(missing)
        self.first = missing[0]
        self.finished = 0
        self._phase = stage.phase
        self._setting = stage.setting
        self._waiting = deque(missing)

    @property
    def over(self) -> bool:
        return self.finished == self.total

    def next(self) -> Request | None:
        """Return the next run, or None: all were started."""
        if not self._waiting:
            return None
        return Request(self._waiting.popleft(), self._phase, setting=self._setting)

    def answer(self, record: Record) -> bool:
        """Count a run that ended. The result is always True: no run of a list is repeated."""
        self.finished += 1
        return True

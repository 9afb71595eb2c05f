"""One loop for everything that asks for runs: grids, searches, what confirms them, races.

What asks is a generator. It yields what it needs next, runs and other generators, and is sent the
list of their results, in that order, once all of them are there: the record of a run, and what a
generator returns. What it asks for thus depends on results alone, never on which run ended first.
"""

from collections.abc import Callable, Generator, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from ue_bench.config import RunConfig
from ue_bench.record import Record
from ue_bench.study.processes import Job, Pool


@dataclass(frozen=True)
class Request:
    """One run that is asked for.

    part: of the study, for which it counts. facts: what the record of a search's run says about its
    trial. setting: that of the grid, for the record. may_start: asked when a worker is free; where
    it returns False, the run is not made and its result is None.
    """

    config: RunConfig
    phase: str
    part: str = ""
    facts: dict[str, Any] = field(default_factory=dict)
    setting: str = ""
    may_start: Callable[[], bool] | None = None


# Results are `Any`: a list that is sent has records and what other generators return.
Steps = Generator[Iterable["Request | Task"], list[Any], Any]


class Task:
    """A generator under way.

    label: what a line of progress says of it; empty: nothing is shown of it. total: of `unit`.
    finished: returns how many of these are done; by default the records that it has been sent.
    """

    def __init__(
        self,
        steps: Steps,
        label: str = "",
        total: int = 0,
        unit: str = "runs",
        finished: Callable[[], int] | None = None,
    ) -> None:
        self.label = label
        self.total = total
        self.unit = unit
        self.n_records = 0
        self.finished: Callable[[], int] = finished or (lambda: self.n_records)
        self.over = False
        self.result: Any = None
        self.open: dict[int, Task] = {}  # by their places in what was asked for last
        self.n_awaited = 0  # runs
        self._steps = steps
        self._asked: Iterator[tuple[int, Request | Task]] | None = None
        self._results: dict[int, Any] = {}

    def asked(self) -> Iterator[tuple[int, "Request | Task"]]:
        """Return what was asked for last and not yet looked at, each with its place."""
        if self._asked is None:
            self.go_on()
        return self._asked or iter(())

    def give(self, place: int, result: Any) -> None:
        """Take the result of what was asked for at a place."""
        self._results[place] = result

    def go_on(self) -> None:
        """Send the results, which are all there."""
        results = [self._results[place] for place in sorted(self._results)]
        self._results = {}
        try:
            asked = next(self._steps) if self._asked is None else self._steps.send(results)
        except StopIteration as end:
            self.over = True
            self.result = end.value
            self._asked = iter(())
        else:
            self._asked = enumerate(iter(asked))


class Engine:
    """Finds the next run in a tree of generators, and gives each its results.

    Of two generators that were asked for together, the later one is opened when the earlier one can
    start nothing: it fills the gaps. A run that two of them ask for is made once. A run whose
    process was killed, perhaps through no fault of its own, is made once more.

    known: the records of runs that need not be made, by run id; it may grow.
    """

    def __init__(self, steps: Steps, known: Mapping[str, Record]) -> None:
        self.root = Task(steps)
        self.known = known
        self.ready = 0  # runs asked for that were known, or under way
        self._awaited: dict[str, list[tuple[Task, int]]] = {}  # who waits for a run, by its id
        self._requests: dict[str, Request] = {}  # of the runs under way
        self._again: list[Request] = []
        self._repeated: set[str] = set()

    @property
    def under_way(self) -> bool:
        """Whether there is a run to wait for."""
        return bool(self._awaited)

    def shown(self) -> Task | None:
        """Return the first task with a label that is under way."""
        waiting = [self.root]
        while waiting:
            task = waiting.pop(0)
            if task.label:
                return task
            waiting = [*task.open.values(), *waiting]
        return None

    def next(self) -> Request | None:
        """Return a run that can start now; None: none can before another one ends, or all is over.

        The record of its run has to be given to `is_final`, and to `give` where that says so.
        """
        if self._again:
            return self._again.pop()
        request = self._next(self.root)
        if request is not None:
            self._requests[request.config.run_id] = request
        return request

    def is_final(self, record: Record) -> bool:
        """Return whether the record of a run counts: the run is not made once more."""
        run_id = record.run_id
        if record.cause != "killed" or run_id in self._repeated:
            return True
        self._repeated.add(run_id)
        self._again.append(self._requests[run_id])
        return False

    def give(self, record: Record) -> None:
        """Give a record to those that asked for its run."""
        del self._requests[record.run_id]
        waiting = self._awaited.pop(record.run_id)
        self.ready += len(waiting) - 1
        for task, place in waiting:
            task.n_awaited -= 1
            task.n_records += 1
            task.give(place, record)

    def _next(self, task: Task) -> Request | None:
        while not task.over:
            for place, child in tuple(task.open.items()):
                request = self._of_child(task, place, child)
                if request is not None:
                    return request
            for place, asked in task.asked():
                if isinstance(asked, Request):
                    request = self._unless_known(task, place, asked)
                else:
                    task.open[place] = asked
                    request = self._of_child(task, place, asked)
                if request is not None:
                    return request
            if task.over or task.open or task.n_awaited:
                break
            task.go_on()
        return None

    def _of_child(self, task: Task, place: int, child: Task) -> Request | None:
        request = self._next(child)
        if child.over:
            del task.open[place]
            task.give(place, child.result)
        return request

    def _unless_known(self, task: Task, place: int, request: Request) -> Request | None:
        """Return a request that nothing has answered and nobody has made, else None."""
        run_id = request.config.run_id
        if run_id in self.known:
            self.ready += 1
            task.n_records += 1
            task.give(place, self.known[run_id])
            return None
        is_first = run_id not in self._awaited
        if is_first and request.may_start is not None and not request.may_start():
            task.give(place, None)
            return None
        self._awaited.setdefault(run_id, []).append((task, place))
        task.n_awaited += 1
        return request if is_first else None


def answer(
    engine: Engine,
    pool: Pool,
    keep: Callable[[Job, Record], Record],
    show: Callable[[Job | None], None],
) -> Iterator[Request]:
    """Yield each run that the caller has to start in the pool now, until nothing is asked for.

    keep: takes the record of a run that ended, and returns what is sent to those that asked for it.
    show: called before each wait, with the run that ended last.
    """
    ended = None
    while True:
        while pool.free and (request := engine.next()) is not None:
            yield request
        show(ended)
        if not engine.under_way:
            return
        ended, record = pool.next()
        if engine.is_final(record):
            engine.give(keep(ended, record))

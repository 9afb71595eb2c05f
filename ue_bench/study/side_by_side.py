"""Parts of a study that are answered side by side, so that no worker waits for the end of one."""

from collections.abc import Iterator

from ue_bench.record import Record
from ue_bench.study.ledger import Ledger
from ue_bench.study.list_run import ListRun
from ue_bench.study.plan import Request
from ue_bench.study.search_run import SearchRun

Questions = ListRun | SearchRun


class SideBySide:
    """What parts of a study ask for. An earlier part comes first, and a later one fills the gaps.

    A part is opened when all before it can start nothing. What it asks for depends neither on the
    others nor on when it is opened, and a run that two parts ask for is made once.

    parts: the questions of each part. Those behind the first are made when it is over.
    """

    def __init__(self, parts: Iterator[Iterator[Questions]], ledger: Ledger) -> None:
        self._parts = parts
        self._ledger = ledger
        self._open: list[tuple[Questions, Iterator[Questions]]] = []
        self._under_way: dict[str, list[Questions]] = {}  # who asked for a run, by its id

    @property
    def under_way(self) -> bool:
        """Whether there is a run to wait for."""
        return bool(self._under_way)

    @property
    def first(self) -> Questions:
        """The questions of the earliest part that waits for a run."""
        return self._open[0][0]

    def next(self) -> Request | None:
        """Return a run that can start now; None: none can before another one ends, or all is over.

        Raises RuntimeError where a part waits for a run that nobody was asked for.
        """
        place = 0
        while place < len(self._open) or self._open_another():
            questions, later = self._open[place]
            if questions.over:
                self._go_on(place, later)
                continue
            request = self._request(questions)
            if request is not None:
                return request
            if not questions.over:  # unless known records answered the last of them
                place += 1
        if self._open and not self._under_way:
            raise RuntimeError(f"{self.first.label} waits for runs that it did not ask for")
        return None

    def answer(self, record: Record) -> list[Questions]:
        """Give a record to those that asked for its run, and return those for which it counts."""
        first, *others = self._under_way.pop(record.run_id)
        self._ledger.ready += len(others)
        return [questions for questions in (first, *others) if questions.answer(record)]

    def _open_another(self) -> bool:
        """Open the next part that has something to ask. Return whether there was one."""
        for later in self._parts:
            questions = next(later, None)
            if questions is not None:
                self._open.append((questions, later))
                return True
        return False

    def _go_on(self, place: int, later: Iterator[Questions]) -> None:
        """Replace questions that are over by those behind them."""
        following = next(later, None)
        if following is None:
            del self._open[place]
        else:
            self._open[place] = following, later

    def _request(self, questions: Questions) -> Request | None:
        """Return the next run that these questions ask for and that no part has asked for yet."""
        while (request := questions.next()) is not None:
            run_id = request.config.run_id
            if run_id in self._under_way:
                self._under_way[run_id].append(questions)
            elif run_id in self._ledger.answers:  # made for another part since these were listed
                self._ledger.ready += 1
                questions.answer(self._ledger.answers[run_id])
            else:
                self._under_way[run_id] = [questions]
                return request
        return None

"""From the question to the answer: find what fits, make the runs, read the records."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ue_bench import record as records_room
from ue_bench.advise.answer import answer
from ue_bench.advise.answer_on_part import answer_on_part
from ue_bench.advise.candidates import find_candidates
from ue_bench.advise.clock import Clock
from ue_bench.advise.forecast import (
    climb_text,
    forecast_text,
    more_text,
    pays_the_race,
    require_time,
)
from ue_bench.advise.fractions import fractions_of
from ue_bench.advise.pace import Measure, measure_pace
from ue_bench.advise.question import Question
from ue_bench.advise.rounds import Rounds
from ue_bench.advise.rungs import Climb, Rungs
from ue_bench.advise.runs import Runs
from ue_bench.advise.sizes import Sizes
from ue_bench.config import RunConfig
from ue_bench.config.stream_split import STREAM
from ue_bench.errors import one_line
from ue_bench.progress import note, progress
from ue_bench.record.lock import alone
from ue_bench.training.all_rows import n_rows_of

SPENT = "seconds.txt"  # in the folder of the records: the time that the question took so far


def advise(
    question: Question,
    results: Path,
    workers: int = 1,
    now: Callable[[], float] = time.monotonic,
    tell: Callable[[str], None] = note,
    measure: Measure = measure_pace,
) -> dict[str, Any]:
    """Make the runs that are missing, as far as the time goes, and return the answer.

    The answer is what JSON can hold. The records are in `results/question.name`.

    workers: runs at a time.
    now: a clock that only goes forward.
    tell: called with one line before anything is trained: what the time will buy.
    measure: judges how long a run takes.

    Raises BenchError for bad input, for a memory that no candidate fits, for a time that is too
    short, and where another command works in the folder.
    """
    folder = results / question.name
    records_room.require_writable(folder)
    with alone(folder):
        clock = Clock(folder / SPENT, 60 * question.minutes, now)
        runs = Runs(
            name=question.name,
            results=results,
            data_dir=question.data_dir,
            plugins=question.plugins,
            clock=clock,
        )
        asked = Asked(question, runs, workers, tell, measure)
        rungs = asked.rungs()
        if rungs is None:
            return asked.on_all_rows()
        return asked.on_parts(rungs)


@dataclass(frozen=True)
class Asked:
    """A question with what it takes to answer it, as `advise` is given them."""

    question: Question
    runs: Runs
    workers: int
    tell: Callable[[str], None]
    measure: Measure

    def rungs(self) -> Rungs | None:
        """Return the rungs where the minutes cannot pay the race on all rows, else None.

        A question that has records goes on as it began.
        """
        question = self.question
        if self.runs.records:
            is_on_parts = any(run.shape.rows_fraction < 1 for run in self.runs.records)
            return Rungs(question) if is_on_parts else None
        is_whole = question.base.rows_fraction == 1 and question.base.split != STREAM
        if not is_whole or len(fractions_of(n_rows_of(question.base, question.data_dir))) == 1:
            return None
        clock = self.runs.clock
        rungs = Rungs(question)
        rung = rungs.first
        fits = rung.candidates.fits
        part = self.measure(rung.question, rung.sizes, fits[0].config, clock.here)
        whole = part.times(1 / rungs.fractions[0])
        if pays_the_race(clock.left, whole.usual, len(fits), self.workers):
            return None
        require_time(question.minutes, clock.left, part, len(fits), self.workers)
        self.tell(
            climb_text(question.minutes, whole, part, rungs.whole.rows.n_rows, rungs.fractions[0])
        )
        return rungs

    def on_all_rows(self) -> dict[str, Any]:
        """Make the runs and return the answer where all rows are used from the start."""
        question, runs, clock = self.question, self.runs, self.runs.clock
        started = clock.here
        sizes = Sizes(question)
        _warn(sizes)
        loading = clock.here - started
        candidates = find_candidates(sizes, question.base)
        try:
            if runs.records:
                self._tell_more(question.base)
            else:
                pace = self.measure(question, sizes, candidates.fits[0].config, loading)
                n_candidates = len(candidates.fits)
                require_time(question.minutes, clock.left, pace, n_candidates, self.workers)
                text = forecast_text(question.minutes, clock.left, pace, n_candidates, self.workers)
                self.tell(text)
            rounds = Rounds(
                question=question,
                sizes=sizes,
                candidates=candidates,
                runs=runs,
                workers=self.workers,
            )
            self._watched(rounds.run)
        finally:
            clock.keep()
        return answer(question, sizes, candidates, runs)

    def on_parts(self, rungs: Rungs) -> dict[str, Any]:
        """Make the runs and return the answer where the race begins on a part of the rows."""
        _warn(rungs.first.sizes)
        if self.runs.records:
            self._tell_more(rungs.first.question.base)
        climb = Climb(rungs, self.runs, self.workers)
        try:
            self._watched(climb.run)
        finally:
            self.runs.clock.keep()
        return answer_on_part(rungs, self.runs)

    def _watched(self, run: Callable[[], None]) -> None:
        """Make runs, with a line of progress."""
        clock = self.runs.clock
        left = max(clock.left, 0.0)
        with progress(self.question.name, left, "s") as update:

            def report(text: str) -> None:
                update(min(clock.here, 0.999 * left), text)

            self.runs.report = report
            run()

    def _tell_more(self, base: RunConfig) -> None:
        """Say what is left of the time of a question that has records, unless it is spent.

        base: such runs are counted.
        """
        run = self.runs.expected(base)
        left = self.runs.clock.left
        if run and left > run:
            self.tell(more_text(left, run, self.workers))


def _warn(sizes: Sizes) -> None:
    """Write the warnings about the data."""
    for warning in sizes.warnings:
        note(one_line(f"warning: {warning}"))

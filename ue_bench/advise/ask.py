"""From the question to the answer: find what fits, make the runs, read the records."""

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from ue_bench import record as records_room
from ue_bench.advise.answer import answer
from ue_bench.advise.candidates import as_led, exact_form, find_candidates
from ue_bench.advise.clock import Clock
from ue_bench.advise.forecast import forecast_text, more_text, require_time
from ue_bench.advise.nearest_world import Nearest, nearest_world
from ue_bench.advise.pace import Measure, measure_pace
from ue_bench.advise.question import Question
from ue_bench.advise.rank import PUBLISHED
from ue_bench.advise.rounds import Rounds
from ue_bench.advise.runs import Runs
from ue_bench.advise.sizes import Sizes
from ue_bench.config.stream_split import STREAM
from ue_bench.errors import one_line
from ue_bench.progress import note, progress
from ue_bench.record.lock import alone

SPENT = "seconds.txt"  # in the folder of the records: the time that the question took so far


def advise(
    question: Question,
    results: Path,
    workers: int = 1,
    now: Callable[[], float] = time.monotonic,
    tell: Callable[[str], None] = note,
    measure: Measure = measure_pace,
    published: Path = PUBLISHED,
) -> dict[str, Any]:
    """Make the runs that are missing, as far as the time goes, and return the answer.

    The answer is what JSON can hold. The records are in `results/question.name`.

    workers: runs at a time.
    now: a clock that only goes forward.
    tell: called with one line before anything is trained: what the time will buy.
    measure: judges how long a run takes.
    published: a results folder, whose records of the study `worlds` say what is tried first.

    Raises BenchError for bad input, for a memory that no candidate fits, for a time that is too
    short, and where another command works in the folder.
    """
    folder = results / question.name
    records_room.require_writable(folder)
    with alone(folder):
        clock = Clock(folder / SPENT, 60 * question.minutes, now)
        sizes = Sizes(question)
        for warning in sizes.warnings:
            note(one_line(f"warning: {warning}"))
        loading = clock.here
        candidates = find_candidates(sizes, question.base)
        runs = Runs(
            name=question.name,
            results=results,
            data_dir=question.data_dir,
            plugins=question.plugins,
            clock=clock,
        )
        try:
            if runs.records:
                _tell_more(runs, question, workers, tell)
            else:
                pace = measure(question, sizes, candidates.fits[0].config, loading)
                n_candidates = len(candidates.fits)
                require_time(question.minutes, clock.left, pace, n_candidates, workers)
                text = forecast_text(question.minutes, clock.left, pace, n_candidates, workers)
                tell(text)
            candidates = as_led(candidates, _nearest(question, sizes, published))
            left = max(clock.left, 0.0)
            with progress(question.name, left, "s") as update:

                def report(text: str) -> None:
                    update(min(clock.here, 0.999 * left), text)

                runs.report = report
                rounds = Rounds(
                    question=question,
                    sizes=sizes,
                    candidates=candidates,
                    runs=runs,
                    workers=workers,
                )
                rounds.run()
        finally:
            clock.keep()
        return answer(question, sizes, candidates, runs)


def _nearest(question: Question, sizes: Sizes, published: Path) -> Nearest | None:
    """Return the published world that is nearest to the data; none is a stream."""
    if question.base.split == STREAM:
        return None
    exact = sizes.exact_bytes(exact_form(question.base).dim)
    return nearest_world(sizes.world, question.memory / exact, published)


def _tell_more(runs: Runs, question: Question, workers: int, tell: Callable[[str], None]) -> None:
    """Say what is left of the time of a question that has records, unless it is spent."""
    run = runs.expected(question.base)
    if run and runs.clock.left > run:
        tell(more_text(runs.clock.left, run, workers))

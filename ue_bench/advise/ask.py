"""From the question to the answer: what fits, what is run, what the records say."""

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from ue_bench import record as records_room
from ue_bench.advise.answer import answer
from ue_bench.advise.candidates import candidates
from ue_bench.advise.clock import Clock
from ue_bench.advise.question import Question
from ue_bench.advise.rounds import Rounds
from ue_bench.advise.runs import Runs
from ue_bench.advise.sizes import Sizes
from ue_bench.progress import progress
from ue_bench.record.lock import alone

SPENT = "seconds.txt"  # in the folder of the records: the time that this question took so far


def advise(
    question: Question, results: Path, workers: int = 1, now: Callable[[], float] = time.monotonic
) -> dict[str, Any]:
    """The answer, as JSON can hold it. Runs what is missing as far as the time goes; records are in `results/question.name`.

    Raises BenchError for bad input, a memory that nothing fits, a time that is too short, and where another command works in the
    folder. now: a clock that only goes forward.
    """
    folder = results / question.name
    records_room.require_writable(folder)
    with alone(folder):
        clock = Clock(folder / SPENT, 60 * question.minutes, now)
        sizes = Sizes(question)
        found = candidates(sizes, question.base)
        left = max(clock.left, 0.0)
        try:
            with progress(question.name, left, "s") as update:
                runs = Runs(
                    question.name,
                    results,
                    question.data_dir,
                    clock,
                    lambda what: update(min(clock.here, 0.999 * left), what),
                )
                Rounds(question, sizes, found, runs, workers).run()
        finally:
            clock.keep()
        return answer(question, sizes, found, runs)

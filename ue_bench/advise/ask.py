"""From the question to the answer: find what fits, make the runs, read the records."""

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from ue_bench import record as records_room
from ue_bench.advise.answer import answer
from ue_bench.advise.candidates import find_candidates
from ue_bench.advise.clock import Clock
from ue_bench.advise.question import Question
from ue_bench.advise.rounds import Rounds
from ue_bench.advise.runs import Runs
from ue_bench.advise.sizes import Sizes
from ue_bench.errors import one_line
from ue_bench.progress import note, progress
from ue_bench.record.lock import alone

SPENT = "seconds.txt"  # in the folder of the records: the time that the question took so far


def advise(
    question: Question, results: Path, workers: int = 1, now: Callable[[], float] = time.monotonic
) -> dict[str, Any]:
    """Make the runs that are missing, as far as the time goes, and return the answer.

    The answer is what JSON can hold. The records are in `results/question.name`.

    workers: runs at a time.
    now: a clock that only goes forward.

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
        candidates = find_candidates(sizes, question.base)
        left = max(clock.left, 0.0)
        try:
            with progress(question.name, left, "s") as update:

                def report(text: str) -> None:
                    update(min(clock.here, 0.999 * left), text)

                runs = Runs(
                    name=question.name,
                    results=results,
                    data_dir=question.data_dir,
                    plugins=question.plugins,
                    clock=clock,
                    report=report,
                )
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

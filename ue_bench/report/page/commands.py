"""The commands that make a report again."""

import shlex
from collections.abc import Collection, Iterator, Sequence

from ue_bench.errors import one_line
from ue_bench.record import ADVICE, QUICK


def commands(
    studies: Sequence[str], named: Collection[str], results: str, out: str
) -> Iterator[str]:
    """One line a study, then the report. named: the studies that a command finds by name."""
    for study in studies:
        if study != "run" and not study.startswith(ADVICE):
            words = ["ue-bench", "study", *_arguments(study, named), "--results", results]
            yield one_line(shlex.join(words))
    yield one_line(shlex.join(["ue-bench", "report", "--results", results, "--out", out]))


def _arguments(study: str, named: Collection[str]) -> list[str]:
    """The words that name a study in a command: a name or a Python file, and its short form."""
    name = study.removesuffix(QUICK)
    if name not in named:
        name += ".py"
    return [name, "--quick"] if study.endswith(QUICK) else [name]

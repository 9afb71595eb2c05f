"""The commands that make a report again."""

from collections.abc import Collection, Iterator, Sequence

from ue_bench.errors import one_line
from ue_bench.record import ADVICE, QUICK


def commands(
    studies: Sequence[str], named: Collection[str], results: str, out: str
) -> Iterator[str]:
    """One line a study, then the report. named: the studies that a command finds by name."""
    for study in studies:
        if study != "run" and not study.startswith(ADVICE):
            yield one_line(f"ue-bench study {_argument(study, named)} --results {results}")
    yield one_line(f"ue-bench report --results {results} --out {out}")


def _argument(study: str, named: Collection[str]) -> str:
    """The words that name a study in a command: a name or a Python file, and its short form."""
    words = study.removesuffix(QUICK)
    if words not in named:
        words += ".py"
    if study.endswith(QUICK):
        words += " --quick"
    return words

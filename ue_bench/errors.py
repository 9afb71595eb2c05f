"""The one exception of ours: bad input or a bad configuration, told in one line. Everything else is a bug and crashes."""

from collections.abc import Iterable
from difflib import get_close_matches


class BenchError(Exception):
    """Raised on purpose. The message says what, what was given, what is allowed and what to do.

    The command line prints it without a traceback and exits with code 2; a study stores it in a failed record.
    """

    def __str__(self) -> str:
        return one_line(super().__str__())


class BudgetError(BenchError):
    """A budget that a strategy cannot work with, and the least above it that it can (where there is none: the most below it).

    A study keeps it as an answer.

    why: completes `a budget of N bytes ...`. works: bytes.
    """

    def __init__(self, name: str, budget: int, why: str, works: int) -> None:
        turn = "raise it to at least" if works > budget else "lower it to"
        super().__init__(f"{name}: a budget of {budget:,} bytes {why}; {turn} {works:,}")
        self.why, self.works = why, works


def one_line(text: str) -> str:
    """`text` as a terminal and a page can show it: what is no visible character stands as its escape (a newline as ``\\n``).

    A name from a file may hold a line end, a command to the terminal, a mark that turns the reading direction, half a character.
    """
    return (
        text
        if text.isprintable()
        else "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)
    )


def unknown(kind: str, given: str, allowed: Iterable[str]) -> BenchError:
    """The error for a name that does not exist, with the nearest one that does."""
    names = sorted(allowed)
    near = get_close_matches(str(given), names, n=1, cutoff=0.5)
    hint = f" (did you mean {near[0]!r}?)" if near else ""
    return BenchError(f"unknown {kind} {given!r}{hint}; choose from: {', '.join(names) or 'none'}")

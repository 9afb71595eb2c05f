"""The exceptions of bad input. Everything else that is raised is a bug, and crashes."""

import re
import signal
from collections.abc import Iterable
from difflib import get_close_matches

_MOST_CHOICES = 100  # names that a message lists
LONGEST_MESSAGE = 500  # letters that are kept of what a stranger's error says
# Controls but line ends and tabs, other separators of lines, and marks that turn the direction of
# reading or take no room.
_INVISIBLE = re.compile(
    r"[\x00-\x08\x0b-\x1f\x7f-\x9f\xad\u200b-\u200f\u2028-\u202e\u2060-\u2064\u2066-\u206f\ufeff]"
)


class BenchError(Exception):
    """Input or a configuration is wrong. The message is one line.

    It says what is wrong, what was given, what is allowed and what to do. The command line prints
    it without a traceback and exits with code 2; a study keeps it in the record of a failed run.
    """

    def __str__(self) -> str:
        return one_line(super().__str__())


class BudgetError(BenchError):
    """The budget does not work. works: the nearest budget that does.

    A study keeps this as an answer. why: completes "a budget of N bytes ...". Sizes are in bytes.
    found: what the run had met; a record keeps it.
    """

    def __init__(self, name: str, budget: int, why: str, works: int) -> None:
        advice = "raise it to at least" if works > budget else "lower it to"
        super().__init__(f"{name}: a budget of {budget:,} bytes {why}; {advice} {works:,}")
        self.why = why
        self.works = works
        self.found: dict[str, object] = {}


def one_line(text: str) -> str:
    """Return `text` with every character that is not visible written as its escape.

    A name from a file may hold a line end, a command to the terminal, a mark that turns the
    direction of reading, or half a character.
    """
    if text.isprintable():
        return text
    return "".join(char if char.isprintable() else _escape(char) for char in text)


def first_line(error: BaseException) -> str:
    """Return the first line of what an error says, without characters that are not visible.

    For the errors of a stranger's code: such a message may be of any length, have half a character
    that no file can hold, or raise an error when it is read.
    """
    try:
        text = str(error)
    except Exception:
        return "(its message cannot be read)"
    line = next(iter(text[:LONGEST_MESSAGE].splitlines()), "")
    return one_line(line)[:LONGEST_MESSAGE]


def killer(exit_code: int) -> str:
    """Return the name of the signal that ended a process, by its exit code below 0."""
    try:
        name = signal.Signals(-exit_code).name
    except ValueError:  # Python names only the first and the last of the real-time signals
        name = f"signal {-exit_code}"
    return f"{name} (out of memory?)" if exit_code == -signal.SIGKILL else name


def visible(text: str) -> str:
    """Return `text`, which may have several lines, with every invisible character as its escape."""
    return _INVISIBLE.sub(lambda match: _escape(match[0]), text)


def visible_json(text: str) -> str:
    """Return JSON with every invisible character as JSON's escape, which reads as the same text.

    JSON itself escapes commands to the terminal only up to U+001F.
    """
    return _INVISIBLE.sub(lambda match: f"\\u{ord(match[0]):04x}", text)


def _escape(char: str) -> str:
    return char.encode("unicode_escape").decode()


def unknown(kind: str, given: str, allowed: Iterable[str]) -> BenchError:
    """Return the error for a name that does not exist, with the nearest name that does."""
    names = sorted(allowed)
    hint = ""
    for nearest in get_close_matches(str(given), names, n=1, cutoff=0.5):
        hint = f" (did you mean {nearest!r}?)"
    choices = ", ".join(names[:_MOST_CHOICES]) or "none"
    if len(names) > _MOST_CHOICES:
        choices += f" and {len(names) - _MOST_CHOICES:,} more"
    return BenchError(f"unknown {kind} {given!r}{hint}; choose from: {choices}")

"""Lines of a small text file with their place, and the ids in them."""

import re
from collections.abc import Iterator

from ue_bench.errors import BenchError

_WHOLE = re.compile(r"\d{1,9}", re.ASCII)


def text_lines(data: bytes, where: str) -> Iterator[tuple[str, str]]:
    """Yield `where` with the line number, and the line without its end.

    Blank lines at the end are left out. The encoding is UTF-8, or latin-1 where the text is not
    valid UTF-8 (ML-100K, ML-1M). Lines end at newlines only: the latin-1 byte 0x85, which
    `str.splitlines` takes for a line end, occurs in titles. Raises BenchError for an empty file.
    """
    data = data.rstrip()
    if not data:
        raise BenchError(f"{where}: the file is empty; give the official file")
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError:
        text = data.decode("latin-1")
    for number, line in enumerate(text.split("\n"), start=1):
        yield f"{where}:{number}", line.removesuffix("\r")


def is_id(text: str) -> bool:
    """Return whether a text is a whole number, as all MovieLens ids are."""
    return _WHOLE.fullmatch(text) is not None


def identifier(text: str, noun: str, where: str) -> str:
    """Return an id in its one decimal form (`007` is `7`).

    Raises BenchError for a text that is not a whole number.
    """
    if not is_id(text):
        raise BenchError(f"{where}: {noun} id {text!r} is not a whole number")
    return str(int(text))

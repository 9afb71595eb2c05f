"""What the figures of a report hand over to its page: files, captions and tables."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple


class Picture(NamedTuple):
    """One figure of a section, with the Markdown lines that follow it.

    path: the figure's files are `path`.png and `path`.svg in the folder of the report; empty where
    the section has a table and no figure.
    """

    path: str
    lines: Sequence[str] = ()


@dataclass(frozen=True)
class Drawn:
    """One section of one study: its pictures, or the reason why it has none.

    gist: what it says, in one sentence; empty where the section has none.
    table: the tidy data as CSV, as a path in the folder of the report.
    """

    study: str
    name: str
    title: str
    gist: str = ""
    caption: str = ""
    pictures: Sequence[Picture] = ()
    table: str = ""
    reason: str = ""

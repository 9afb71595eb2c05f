"""HTML made from texts: Markdown, and the sources of strategies."""

import re
from collections.abc import Collection, Sequence

from markdown_it import MarkdownIt
from markdown_it.token import Token
from markupsafe import Markup, escape

_ARXIV = re.compile(r"arXiv (\d{4}\.\d{4,5})")
# In a name such as user_id*genres. An underscore between letters marks nothing up.
_BETWEEN_LETTERS = re.compile(r"(?<=\w)([*|])(?=\w)")


def markdown(lines: Sequence[str], subjects: Collection[str] = ()) -> Markup:
    """Convert Markdown lines to HTML, with each table in a box that scrolls.

    The text of a record cannot add raw HTML, links or pictures.

    subjects: strategies whose rows have the class `subject`. The first cell of a row begins with
    the name of its strategy.
    """
    engine = MarkdownIt("commonmark", {"html": False})
    engine.enable("table").disable(["link", "image", "autolink", "reference"])
    text = "\n".join(_BETWEEN_LETTERS.sub(r"\\\1", line) for line in lines)
    tokens = engine.parse(text)
    _mark_rows(tokens, subjects)
    html = str(engine.renderer.render(tokens, engine.options, {}))
    html = html.replace("<table>", '<div class="wide" tabindex="0"><table class="sorts">')
    return trusted(html.replace("</table>", "</table></div>"))


def _mark_rows(tokens: Sequence[Token], subjects: Collection[str]) -> None:
    for row, cell, content in zip(tokens, tokens[1:], tokens[2:], strict=False):
        if row.type == "tr_open" and cell.type == "td_open":
            text = "".join(child.content for child in content.children or ())
            if text.partition(" ")[0] in subjects:
                row.attrSet("class", "subject")


def papers(source: str) -> Markup:
    """Convert the source of a strategy to HTML in which an arXiv number links to the paper."""
    link = r'<a href="https://arxiv.org/abs/\1" rel="noreferrer">arXiv \1</a>'
    return trusted(_ARXIV.sub(link, str(escape(source))))


def trusted(html: str) -> Markup:
    """Mark HTML that must not be escaped again.

    It is a file of this package, or the output of an engine that escapes the texts of records.
    """
    return Markup(html)  # nosec B704 # the only place; no text of a record arrives here unescaped

"""The report as one HTML page that needs nothing beside it: text from Markdown and records, figures and their data inlined."""

import base64
import hashlib
import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

import jinja2
from markdown_it import MarkdownIt
from markupsafe import Markup, escape

from ue_bench.errors import one_line
from ue_bench.record import ADVICE, QUICK
from ue_bench.report.evidence.evidence import Evidence
from ue_bench.report.figures.picture import inline
from ue_bench.report.format import escaped
from ue_bench.report.page import abstract, left_out, limits
from ue_bench.report.page import machines as environment
from ue_bench.report.page.conclusion import sentences
from ue_bench.report.page.rank_tables import rank_tables
from ue_bench.report.page.tables import note, tables

QUESTION = (
    "For this data and this memory, how should categorical features be embedded: one multiplexed table for all "
    "features, one hashed table per feature, an exact (collisionless) table, or something cleverer?"
)
COMMANDS = (
    "ue-bench study {study} --results {results}",
    "ue-bench report --results {results} --out {out}",
)
MAIN = (
    "table_size",
    "default",
)  # the studies that answer the question best, and the figure that shows it
LARGEST_SVG = 1_500_000  # characters; a larger figure stands in the page as a picture, so that the page opens fast
_ARXIV = re.compile(r"arXiv (\d{4}\.\d{4,5})")
_BETWEEN_LETTERS = re.compile(
    r"(?<=\w)([*_|])(?=\w)"
)  # of a name such as user_id*genres: no emphasis


class Picture(NamedTuple):
    """One figure: its files are `path`.png and `path`.svg under the folder of the report; Markdown lines that stand below."""

    path: str
    lines: Sequence[str] = ()


@dataclass(frozen=True)
class Drawn:
    """A kind of figure or table of one study: what there is of it, or the reason why there is nothing."""

    study: str
    name: str
    title: str
    caption: str = ""
    pictures: Sequence[Picture] = ()  # with an empty path: a table alone
    table: str = ""  # the tidy data as csv, relative to the folder
    reason: str = ""


@dataclass(frozen=True)
class Page:
    """All that the page tells. `strategies`: one line and the source of each by name, for those that occur.

    named: the studies that a command finds by their names; any other one is a Python file.
    """

    evidence: Evidence
    drawn: Sequence[Drawn]
    skipped: Sequence[str]
    results: str
    out: str
    studies: Sequence[str] = field(default=())
    strategies: Mapping[str, tuple[str, str]] = field(default_factory=dict)
    named: Collection[str] = ()

    def html(self) -> str:
        loader = jinja2.PackageLoader("ue_bench.report.page", "templates")
        engine = jinja2.Environment(
            loader=loader,
            autoescape=True,
            undefined=jinja2.StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
        )
        engine.filters |= {
            "markdown": markdown,
            "papers": papers,
            "data_link": self._data_link,
            "shown": self._shown,
        }
        script = loader.get_source(engine, "page.js")[0]
        main = self.main()
        summary, verdicts = escaped(self.evidence.summary), escaped(self.evidence.verdicts)
        by_study = {
            name: [drawn for drawn in self.drawn if drawn.study == name and drawn.pictures]
            for name in self.studies
        }
        return engine.get_template("page.html").render(
            question=QUESTION,
            script=own(script),
            script_hash=base64.b64encode(hashlib.sha256(script.encode()).digest()).decode(),
            style=own(loader.get_source(engine, "page.css")[0]),
            main=main,
            abstract={name: self._abstract(name) for name in self.studies},
            answer=sentences(summary, verdicts),
            by_study={name: drawn for name, drawn in by_study.items() if drawn},
            missing=[drawn for drawn in self.drawn if drawn.reason],
            note=note(summary),
            tables={name: self._tables(name) for name in self.studies},
            strategies=self._strategies(),
            left_out=left_out.lines(self.evidence.arms, self.evidence.summary, self.skipped),
            environment=environment.lines(self.evidence.records),
            commands=self._commands(),
            limits=limits.lines(summary, verdicts, self.evidence.records),
        )

    def main(self) -> Drawn | None:
        """The figure that answers the question: of the study that answers best, the first there is."""
        pictured = [drawn for drawn in self.drawn if drawn.pictures and drawn.pictures[0].path]
        order = [*MAIN, *(drawn.study for drawn in pictured)]
        return min(
            pictured,
            key=lambda drawn: (order.index(drawn.study), drawn.name != MAIN[0]),
            default=None,
        )

    def _abstract(self, study: str) -> list[str]:
        return abstract.sentences(*self.evidence.of(study))

    def _tables(self, study: str) -> list[str]:
        own = escaped(self.evidence.of(study)[0])
        return [*rank_tables(own), *tables(own)] if len(own) else []

    def _strategies(self) -> dict[str, tuple[str, str]]:
        """Of all strategies that occur, in alphabetical order; a name that nobody explains stands alone."""
        names = {record.config.strategy for record in self.evidence.records}
        return {one_line(name): self.strategies.get(name, ("", "")) for name in sorted(names)}

    def _commands(self) -> list[str]:
        first, last = COMMANDS
        studies = [name for name in self.studies if name != "run" and not name.startswith(ADVICE)]
        lines = [first.format(study=self._typed(name), results=self.results) for name in studies]
        return [
            one_line(line) for line in (*lines, last.format(results=self.results, out=self.out))
        ]

    def _typed(self, study: str) -> str:
        """How a study is asked for in a command."""
        name = study.removesuffix(QUICK)
        return name + ".py" * (name not in self.named) + " --quick" * study.endswith(QUICK)

    def _data_link(self, path: str) -> str:
        """A csv file of the report as an address that holds it."""
        return f"data:text/csv;base64,{base64.b64encode((Path(self.out) / path).read_bytes()).decode()}"

    def _shown(self, path: str, number: str, title: str) -> Markup:
        """A figure in the page; `number` keeps the ids of several apart."""
        svg = (Path(self.out) / f"{path}.svg").read_text(encoding="utf-8")
        if len(svg) <= LARGEST_SVG:
            return own(inline(svg, f"p{number}-", title))
        data = base64.b64encode((Path(self.out) / f"{path}.png").read_bytes()).decode()
        return Markup('<img alt="{}" src="data:image/png;base64,{}">').format(title, data)


def markdown(lines: Sequence[str]) -> Markup:
    """HTML of Markdown lines: no raw HTML, no link, no picture, whatever a record's text holds; tables scroll in a box."""
    engine = (
        MarkdownIt("commonmark", {"html": False})
        .enable("table")
        .disable(["link", "image", "autolink", "reference"])
    )
    text = "\n".join(_BETWEEN_LETTERS.sub(r"\\\1", line) for line in lines)
    html = engine.render(text).replace(
        "<table>", '<div class="wide" tabindex="0"><table class="sorts">'
    )
    return own(html.replace("</table>", "</table></div>"))


def papers(source: str) -> Markup:
    """The source of a strategy, where an arXiv number leads to the paper."""
    link = r'<a href="https://arxiv.org/abs/\1" rel="noreferrer">arXiv \1</a>'
    return own(_ARXIV.sub(link, str(escape(source))))


def own(html: str) -> Markup:
    """HTML of our making, which is not escaped again: a file of this package, or what an engine wrote that escapes each text."""
    return Markup(html)  # nosec B704 # the only place; a text of a record never comes here as it is

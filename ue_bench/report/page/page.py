"""The report as HTML pages that need no other file: texts, figures and their data.

A report of one study is one page. One of several studies has a page for what they say together, and
one for each of them.
"""

import base64
import gzip
import hashlib
import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import jinja2
from markupsafe import Markup

from ue_bench.errors import one_line
from ue_bench.report.drawn import Drawn
from ue_bench.report.evidence.board import boards
from ue_bench.report.evidence.evidence import Evidence
from ue_bench.report.evidence.interval_method import RULE
from ue_bench.report.figures.picture import inline
from ue_bench.report.format import escaped
from ue_bench.report.page import abstract, conclusion, left_out, limits, machines
from ue_bench.report.page.board_tables import NOTE as BOARD_NOTE
from ue_bench.report.page.board_tables import board_lines, board_title
from ue_bench.report.page.byte_ranks import byte_ranks
from ue_bench.report.page.gist import gist, headline
from ue_bench.report.page.markup import markdown, papers, trusted
from ue_bench.report.page.rank_tables import rank_tables
from ue_bench.report.page.tables import note, tables

QUESTION = (
    "For this data and this memory, how should categorical features be embedded: one multiplexed "
    "table for all features, one hashed table per feature, an exact table, or something cleverer?"
)
MAIN_STUDIES = ("table_size", "default")  # the studies that answer the question best
MAIN_SECTION = "table_size"  # the section that shows it
WORLDS_STUDY = "worlds"  # the study that has a panel for each of several data sets
BOARD_STUDY = "methods"  # the study in which all strategies compete
# Larger figures become PNGs and larger data is compressed, so that the page opens fast. So does the
# largest figure of a page of more elements, and the next one, until it has no more.
LARGEST_SVG = 300_000  # characters
LARGEST_CSV = 100_000  # bytes
MOST_ELEMENTS = 19_500
_ELEMENT = re.compile("<[A-Za-z]")
_UNSAFE = re.compile(r"[^\w-]", re.ASCII)  # of a study's name, in the name of a file


class DataFile(NamedTuple):
    """A file that the page holds, and under which name it is saved."""

    name: str
    url: str


@dataclass(frozen=True)
class Page:
    """What the page shows.

    strategies: one line and the source of each, by name. subjects: strategies of the records whose
    rows in tables have a mark. again: the commands that make the report again.
    """

    evidence: Evidence
    drawn: Sequence[Drawn]
    skipped: Sequence[str]
    out: str
    studies: Sequence[str] = ()
    strategies: Mapping[str, tuple[str, str]] = field(default_factory=dict)
    subjects: Collection[str] = ()
    again: Sequence[str] = ()

    def html(self) -> str:
        """Render the page. The figures and tables must exist in the folder `out`."""
        return self._render("page.html", self._content())

    @property
    def pages(self) -> dict[str, str]:
        """The file names of the studies' own pages, by study; none where there is one study."""
        if len(self.studies) < 2:
            return {}
        names: dict[str, str] = {}
        for study in self.studies:
            name = f"study-{_UNSAFE.sub('_', study)}"
            if f"{name}.html" in names.values():
                name += f"-{len(names)}"
            names[study] = f"{name}.html"
        return names

    def study_html(self, study: str) -> str:
        """Render the page of one of several studies."""
        summary, verdicts = map(escaped, self.evidence.of(study))
        records = [record for record in self.evidence.records if record.study == study]
        content = {
            "name": study,
            "number": 1 + self.studies.index(study),
            "gist": gist(*self.evidence.of(study), self.evidence.of(study)[0]),
            "abstract": abstract.sentences(*self.evidence.of(study)),  # plain text
            "answer": conclusion.sentences(summary, verdicts),
            "limits": limits.lines(summary, verdicts, records),
            "all_drawn": self._drawn_of(study),
            "note": note(summary),
            "tables": self._tables(study),
        }
        return self._render("study.html", content)

    def _render(self, template: str, content: Mapping[str, Any]) -> str:
        """Render a page, with pictures of its largest figures where it has too many elements."""
        flat: set[str] = set()
        while True:
            drawn: dict[str, int] = {}  # the elements of each figure, by path
            text = self._rendered(template, content, flat, drawn)
            if len(_ELEMENT.findall(text)) <= MOST_ELEMENTS or not drawn:
                return text
            flat.add(max(drawn, key=lambda path: drawn[path]))

    def _rendered(
        self, template: str, content: Mapping[str, Any], flat: set[str], drawn: dict[str, int]
    ) -> str:
        """Render a page. flat: the figures that are pictures. drawn: takes in the other ones."""
        loader = jinja2.PackageLoader("ue_bench.report.page", "templates")
        engine = jinja2.Environment(
            loader=loader,
            autoescape=True,
            undefined=jinja2.StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
        )
        engine.filters["markdown"] = partial(markdown, subjects=self.subjects)
        engine.filters["papers"] = papers
        engine.filters["data_file"] = self._data_file
        engine.filters["figure_html"] = partial(self._figure_html, flat, drawn)
        script = loader.get_source(engine, "page.js")[0]
        style = loader.get_source(engine, "page.css")[0]
        return engine.get_template(template).render(
            script=trusted(script),
            script_hash=_base64(hashlib.sha256(script.encode()).digest()),
            style=trusted(style),
            subjects=self.subjects,
            **content,
        )

    def _drawn_of(self, study: str) -> list[Drawn]:
        """Return the sections of a study that have something to show."""
        return [drawn for drawn in self.drawn if drawn.study == study and drawn.pictures]

    def main(self) -> Drawn | None:
        """The figure that answers the question, of the study that answers it best."""
        with_figure = self._with_figure()
        studies = [*MAIN_STUDIES, *(drawn.study for drawn in with_figure)]

        def rank(drawn: Drawn) -> tuple[int, bool]:
            return studies.index(drawn.study), drawn.name != MAIN_SECTION

        return min(with_figure, key=rank, default=None)

    def glance(self) -> Drawn | None:
        """The figure that shows each world, or the main one where there is none."""
        for drawn in self._with_figure():
            if (drawn.study, drawn.name) == (WORLDS_STUDY, MAIN_SECTION):
                return drawn
        return self.main()

    def _with_figure(self) -> list[Drawn]:
        return [drawn for drawn in self.drawn if drawn.pictures and drawn.pictures[0].path]

    def _content(self) -> dict[str, Any]:
        """What the template shows, by the names that it uses."""
        records = self.evidence.records
        summary = escaped(self.evidence.summary)
        verdicts = escaped(self.evidence.verdicts)
        abstracts = {}
        tables_by_study = {}
        sections = {}
        gists = {}
        main = self.main()
        first = main.study if main else next(iter(self.studies), "")
        for study in self.studies:
            abstracts[study] = abstract.sentences(*self.evidence.of(study))
            gists[study] = headline(*self.evidence.of(study))
            if study == first or not self.pages:  # the others are on the pages of their studies
                tables_by_study[study] = self._tables(study)
            drawn = self._drawn_of(study)
            if drawn:
                sections[study] = drawn
        every_board = boards(self.evidence, BOARD_STUDY)
        board = every_board[0] if every_board else None
        summary_of_first, verdicts_of_first = self.evidence.of(first)
        return {
            "gist": gist(summary_of_first, verdicts_of_first, self.evidence.summary, board),
            "gists": gists,
            "glance": self.glance(),
            "boards": {board_title(board): board_lines(board) for board in every_board},
            "board_note": BOARD_NOTE,
            "question": QUESTION,
            "interval_rule": RULE,
            "main": main,
            "first": first,
            "pages": self.pages,
            "abstract": abstracts,
            "answer": conclusion.sentences(summary, verdicts),
            "by_study": sections,
            "missing": [drawn for drawn in self.drawn if drawn.reason],
            "note": note(summary),
            "tables": tables_by_study,
            "strategies": self._strategies(),
            "left_out": left_out.lines(self.evidence.arms, self.evidence.summary, self.skipped),
            "environment": machines.lines(records),
            "commands": self.again,
            "limits": limits.deciding(summary, records),
            "more_limits": limits.others(summary, verdicts, records),
        }

    def _tables(self, study: str) -> list[str]:
        summary = escaped(self.evidence.of(study)[0])
        if summary.empty:
            return []
        return [*rank_tables(summary), *byte_ranks(summary), *tables(summary)]

    def _strategies(self) -> dict[str, tuple[str, str]]:
        """The strategies of the records in alphabetical order, with empty texts where unknown."""
        names = {record.config.strategy for record in self.evidence.records}
        explained = {}
        for name in sorted(names):
            explained[one_line(name)] = self.strategies.get(name, ("", ""))
        return explained

    def _data_file(self, path: str) -> DataFile:
        """A CSV file of the report as a data URL."""
        file = Path(self.out) / path
        content = file.read_bytes()
        if len(content) <= LARGEST_CSV:
            return DataFile(file.name, f"data:text/csv;base64,{_base64(content)}")
        packed = gzip.compress(content, mtime=0)  # the same bytes at any time
        return DataFile(f"{file.name}.gz", f"data:application/gzip;base64,{_base64(packed)}")

    def _figure_html(
        self,
        flat: set[str],
        drawn: dict[str, int],
        path: str,
        number: str,
        title: str,
        caption: str,
    ) -> Markup:
        """A figure as an element of the page. flat, drawn: as in `_rendered`.

        number: makes its ids differ from those of others. caption: the id of what describes it.
        """
        folder = Path(self.out)
        svg = (folder / f"{path}.svg").read_text(encoding="utf-8")
        if len(svg) <= LARGEST_SVG and path not in flat:
            drawn[path] = len(_ELEMENT.findall(svg))
            return trusted(inline(svg, f"p{number}-", title, caption))
        png = _base64((folder / f"{path}.png").read_bytes())
        image = Markup('<img alt="{}" aria-describedby="{}" src="data:image/png;base64,{}">')
        return image.format(title, caption, png)


def _base64(content: bytes) -> str:
    return base64.b64encode(content).decode()

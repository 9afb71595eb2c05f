"""Makes a report from a folder of records: tables, figures and the page."""

import gc
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from ue_bench.errors import BenchError
from ue_bench.record import load
from ue_bench.report.evidence.evidence import Evidence
from ue_bench.report.evidence.frames import csv, of_small_frames
from ue_bench.report.figures import style
from ue_bench.report.figures.draw import draw_all, seeds_needed
from ue_bench.report.page.commands import commands
from ue_bench.report.page.page import Page
from ue_bench.whole_file import write_whole


@dataclass(frozen=True)
class Outcome:
    """What was built.

    skipped: one line a file that is no valid record. refused: one line an arm that is not
    comparable. power: one line a comparison, about the seeds that it needs.
    """

    evidence: Evidence
    figures: list[Path]
    page: Path
    skipped: list[str]
    refused: list[str]
    power: list[str]

    @property
    def summary(self) -> pd.DataFrame:
        return self.evidence.summary


@contextmanager
def _seldom_collected() -> Iterator[None]:
    """Let Python search for unused cycles of objects less often.

    With ten thousand records in memory, each search visits all of them: a tenth of the time of a
    report.
    """
    before = gc.get_threshold()
    gc.set_threshold(50_000, 20, 100)
    try:
        yield
    finally:
        gc.set_threshold(*before)


@of_small_frames()
@_seldom_collected()
def build(
    results: Path,
    out: Path,
    study: str | None = None,
    strategies: Mapping[str, tuple[str, str]] | None = None,
    named: Collection[str] = (),
    families: Sequence[Sequence[str]] = (),
) -> Outcome:
    """Read the records of `results` and write `report.html`, `figures/` and `tables/` to `out`.

    Of several studies each has a page of its own beside it, `study-NAME.html`.

    study: read the records of this study alone. strategies: what the page says of each strategy by
    name, one line and its source (records contain only names). named: the studies that a command
    finds by name; for any other one the page gives the name of its Python file. families: of
    strategies, each of which has a colour (see `style.families`).

    Raises BenchError if there is no record, and if `out` cannot be written.
    """
    results = Path(results)
    out = Path(out)
    evidence, skipped = read_evidence(results, study)
    studies = studies_of(evidence)
    return write_report(
        evidence,
        out,
        skipped=skipped,
        strategies=strategies or {},
        families=families,
        again=list(commands(studies, named, str(results), str(out))),
    )


def studies_of(evidence: Evidence) -> list[str]:
    """Return the studies that a report is on, in alphabetical order."""
    return sorted({record.study for record in (*evidence.records, *evidence.drawn)})


@of_small_frames()
@_seldom_collected()
def write_report(
    evidence: Evidence,
    out: Path,
    *,
    skipped: Sequence[str] = (),
    strategies: Mapping[str, tuple[str, str]],
    families: Sequence[Sequence[str]] = (),
    subjects: Collection[str] = (),
    again: Sequence[str],
) -> Outcome:
    """Write the report of records that have been read. What else is given is as in `build`.

    skipped: one line a file that is no valid record. subjects: strategies of the records that are
    not the project's and whose rows in tables have a mark. again: the commands that make the report
    again.
    """
    arms = evidence.arms
    write_whole(out / "tables" / "summary.csv", csv(evidence.summary))
    write_whole(out / "tables" / "paired.csv", csv(evidence.verdicts))
    with style.families(families):
        drawn, figures = draw_all(evidence, out)
    page = Page(
        evidence=evidence,
        drawn=drawn,
        skipped=skipped,
        out=str(out),
        studies=studies_of(evidence),
        strategies=strategies,
        subjects=subjects,
        again=again,
    )
    path = write_whole(out / "report.html", page.html())
    for name, file in page.pages.items():
        write_whole(out / file, page.study_html(name))
    return Outcome(
        evidence=evidence,
        figures=figures,
        page=path,
        skipped=list(skipped),
        refused=list(arms.refused),
        power=seeds_needed(evidence),
    )


def read_evidence(results: Path, study: str | None = None) -> tuple[Evidence, list[str]]:
    """Return what the records of a folder say, and one line a file that is no valid record.

    study: read the records of this study alone. Raises BenchError if there is no record of a run.
    """
    records, skipped = load(results, study)
    if not records:
        raise _no_record(results, study, skipped)
    evidence = Evidence(records)
    if not evidence.records and not evidence.drawn:
        raise BenchError(
            f"{results} has no run, only measurements of ue-bench speed; run a study first or give "
            "another --results"
        )
    return evidence, skipped


def _no_record(results: Path, study: str | None, skipped: list[str]) -> BenchError:
    what = "no record"
    if study:
        what += f" of study {study!r}"
    where = f"in {results}"
    if skipped:
        where += f" ({len(skipped)} files are no valid record: {skipped[0]})"
    return BenchError(f"{what} {where}; run a study first or give another --results")

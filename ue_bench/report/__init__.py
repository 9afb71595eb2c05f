"""Records in, report out: `build` writes the summary, the figures with their data, and the page. It reads records only.

What draws is imported when it is needed: `ue_bench.report.summary` works without a plotting library.
"""

from __future__ import annotations

import gc
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from ue_bench.errors import BenchError

if TYPE_CHECKING:
    import pandas as pd

    from ue_bench.report.evidence.evidence import Evidence

__all__ = ["Outcome", "build"]


@dataclass(frozen=True)
class Outcome:
    """What was built. `skipped`: one line a file that is no valid record; `refused`: one line an arm not comparable.

    power: one line a comparison, the seeds that it needs.
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
    """Python looks for cycles of unused objects seldom: beside ten thousand records it looks at all of these each time, which
    is a tenth of what a report takes."""
    before = gc.get_threshold()
    gc.set_threshold(50_000, 20, 100)
    try:
        yield
    finally:
        gc.set_threshold(*before)


@_seldom_collected()
def build(
    results: Path,
    out: Path,
    study: str | None = None,
    strategies: Mapping[str, tuple[str, str]] | None = None,
    named: Collection[str] = (),
) -> Outcome:
    """Read all records of `results` (of one study) and write `report.html`, `figures/` and `tables/` under `out`.

    `strategies`: what the page says of each by name, one line and its source; records hold only names. named: the studies that
    a command finds by name; of any other one the page gives the name of its Python file.
    Raises BenchError when there is no record, and when `out` cannot be written.
    """
    from ue_bench.record import load, write_whole
    from ue_bench.report.evidence.evidence import Evidence
    from ue_bench.report.evidence.frames import csv
    from ue_bench.report.evidence.power import of_arms
    from ue_bench.report.figures.draw import draw_all
    from ue_bench.report.page.page import Page

    results, out = Path(results), Path(out)
    records, skipped = load(results, study)
    if not records:
        of = f"of study {study!r} " if study else ""
        unusable = f" ({len(skipped)} files are no valid record: {skipped[0]})" if skipped else ""
        raise BenchError(
            f"no record {of}in {results}{unusable}; run a study first or give another --results"
        )
    evidence = Evidence(records)
    if not evidence.records:
        raise BenchError(
            f"{results} has no run, only what ue-bench speed measured; run a study first or give another --results"
        )
    arms = evidence.arms
    write_whole(out / "tables" / "summary.csv", csv(evidence.summary))
    write_whole(out / "tables" / "paired.csv", csv(evidence.verdicts))
    drawn, figures = draw_all(evidence, out)
    studies = sorted({record.study for record in evidence.records})
    page = Page(evidence, drawn, skipped, str(results), str(out), studies, strategies or {}, named)
    path = write_whole(out / "report.html", page.html())
    return Outcome(evidence, figures, path, skipped, list(arms.refused), of_arms(arms.kept))

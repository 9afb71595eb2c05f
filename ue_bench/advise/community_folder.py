"""The folder of strategies that others submitted, which is as a rule empty or not there."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ue_bench.report.evidence.board import Submitted

FOLDER = "community"  # beside the folder of the published records
ABOUT = "submission.toml"  # in the folder of a submission: what makes it one


def submissions_in(folder: Path) -> list[Path]:
    """Return the folders of the submissions in `folder`, in order of their names."""
    return [about.parent for about in sorted(folder.glob(f"*/{ABOUT}"))]


def beside(results: Path) -> list[Submitted]:
    """Return what was submitted beside a results folder: `community.submitted` of `FOLDER` there.

    Raises BenchError as that does.
    """
    folder = results.absolute().parent / FOLDER
    if not submissions_in(folder):
        return []
    from ue_bench.advise.community import submitted  # loads torch, which a report has no use for

    return submitted(folder)

"""What was submitted beside a results folder, without loading torch where that is nothing."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from ue_bench.advise.community_folder import FOLDER, submissions_in

if TYPE_CHECKING:
    from ue_bench.report.evidence.board import Submitted


def beside(results: Path) -> list[Submitted]:
    """Return what was submitted beside a results folder: `community.submitted` of `FOLDER` there.

    Raises BenchError as that does.
    """
    folder = results.absolute().parent / FOLDER
    if not submissions_in(folder):
        return []
    from ue_bench.advise.community import submitted  # loads torch

    return submitted(folder)

"""Strategies that others submitted, on the board beside the published ones."""

from pathlib import Path

from ue_bench.advise.community_folder import submissions_in
from ue_bench.advise.rank import STUDY, published_records
from ue_bench.advise.rerun import is_verified
from ue_bench.advise.submission import Submission, read
from ue_bench.errors import BenchError
from ue_bench.report.evidence.board import Board, Submitted, boards
from ue_bench.report.evidence.evidence import Evidence


def submitted(folder: Path) -> list[Submitted]:
    """Return what the folders in `folder` hold, in order of their names.

    No code of theirs is run. Raises BenchError for a submission that cannot be read, and for two
    that have a strategy of one name.
    """
    found: list[Submitted] = []
    holder: dict[str, str] = {}
    for path in submissions_in(folder):
        entry = entry_of(read(path))
        for name in entry.strategies:
            if name in holder:
                raise BenchError(
                    f"{path}: {holder[name]} has a strategy {name}; rename one of them"
                )
            holder[name] = entry.name
        found.append(entry)
    return found


def entry_of(submission: Submission) -> Submitted:
    """Return what the board needs of a submission: no runs of other strategies."""
    about = submission.about
    runs = tuple(run for run in submission.runs if run.config.strategy in about.strategies)
    return Submitted(about.name, tuple(about.strategies), runs, is_verified(submission))


def without_and_with(submission: Submission, published: Path) -> tuple[list[Board], list[Board]]:
    """Return the boards without a submission, and those with it.

    What was submitted in the folders beside it is on both.
    """
    entry = entry_of(submission)
    others = []
    for other in submitted(submission.folder.absolute().parent):
        if other.name != entry.name:
            others.append(other)
    evidence = Evidence(published_records(published))
    return boards(evidence, STUDY, others), boards(evidence, STUDY, [*others, entry])

"""`ue-bench check`."""

import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from ue_bench.cli.apart import apart
from ue_bench.cli.group import PUBLISHED, load_plugins, main, shared
from ue_bench.errors import BenchError, one_line
from ue_bench.whole_file import read_regular

if TYPE_CHECKING:
    from ue_bench.advise.submission import Submission

KNOWN = "known-faults.txt"
MOST_KNOWN = 2**24  # bytes


@main.command("check", epilog="Example: ue-bench check --results results/published README.md")
@click.argument("files", nargs=-1, type=click.Path(path_type=Path, dir_okay=False, exists=True))
@click.option(
    "--results",
    type=click.Path(path_type=Path, file_okay=False),
    default=PUBLISHED,
    show_default=True,
    help="Folder of the records.",
)
@click.option(
    "--study",
    "studies",
    multiple=True,
    metavar="FILE",
    help="Python file of a study that has records in the folder; repeatable.",
)
@click.option(
    "--submission",
    type=click.Path(path_type=Path, file_okay=False),
    default=None,
    metavar="DIR",
    help="Instead, check what was submitted for the board, and print its places and the board "
    "without and with it. Runs its code, after the files.",
)
@shared("against", "plugins")
def check_command(
    files: tuple[Path, ...],
    results: Path,
    studies: tuple[str, ...],
    submission: Path | None,
    against: Path | None,
    plugins: tuple[Path, ...],
) -> None:
    """Check published records, and the numbers that FILES quote from them.

    FILES are Markdown files; by default README.md and docs/*.md. The exit code is 1 if something is
    wrong. What is wrong and cannot be mended stands, line by line, in known-faults.txt of the
    folder; it is printed and does not count.
    """
    if submission is None and against is not None:
        raise BenchError("--against needs what is held against it; give --submission")
    if submission is not None:
        if files or studies or plugins:
            raise BenchError("--submission is checked alone; leave FILES, --study and --plugin out")
        _check_submission(submission, against)
        return
    from ue_bench.cli.check import check
    from ue_bench.study import canonical, find

    load_plugins(plugins)
    for study in studies:
        find(study)  # raises for a file without a study
    documents = files or _documents()
    faults = check(results, documents, [canonical(study) for study in studies])
    known = known_faults(results)
    for fault in faults:
        mark = "known: " if fault in known else ""
        click.echo(one_line(f"{mark}{fault}"))
    mended = [line for line in known if line not in faults]
    for line in mended:
        click.echo(one_line(f"{results / KNOWN}: this is not wrong any more, take it out: {line}"))
    if mended or any(fault not in known for fault in faults):
        sys.exit(1)
    click.echo(
        one_line(
            f"{results} and {len(documents)} documents: nothing {'else ' if faults else ''}is wrong"
        )
    )


def _check_submission(folder: Path, against: Path | None) -> None:
    from ue_bench.advise import submission as room
    from ue_bench.advise.board_text import board_text
    from ue_bench.advise.community import without_and_with
    from ue_bench.advise.rank import PUBLISHED as OF_PACKAGE
    from ue_bench.advise.rank import published_records
    from ue_bench.advise.rank_text import rank_text
    from ue_bench.advise.rerun import faults_of_evidence

    published = against or OF_PACKAGE
    read = room.read(folder)
    of_contract = []
    if not list(room.faults_of_files(read)):
        of_contract = apart(folder, lambda _: _faults_of_contract(read))
    faults = room.faults_of_folder(read)
    records = published_records(published)
    if not faults:
        faults += of_contract
        faults += room.faults_of_runs(read, records)
        faults += faults_of_evidence(read)
    if not faults:
        evidence = room.evidence_of(read, records)
        faults += room.faults_of_places(read, evidence)
    for fault in faults:
        click.echo(one_line(f"{folder}: {fault}"))
    if faults:
        sys.exit(1)
    effort = "searched like the others" + (", verified" if read.about.verified else "")
    for name, places in room.places_of(read, evidence).items():
        found = {"effort": effort, "whole": True, "places": places, "left_out": []}
        found["over_worlds"] = None
        click.echo(rank_text(name, found))
    without, with_it = without_and_with(read, published)
    click.echo(f"\nThe board without {read.about.name}:\n\n{board_text(without)}")
    click.echo(f"The board with {read.about.name}:\n\n{board_text(with_it, read.about.strategies)}")
    click.echo(one_line(f"{folder}: nothing is wrong"))


def _faults_of_contract(read: "Submission") -> list[str]:
    """Load the code of a submission, and return why tests of the contract fail.

    There are none where the code has not the strategies that it should have.
    """
    from ue_bench.advise import submission as room

    if list(room.load_code(read)):
        return []
    about = read.about
    return list(_faults_of_code(read.folder / about.file, about.strategies))


def _faults_of_code(file: Path, names: Sequence[str]) -> Iterator[str]:
    """Yield why tests of the contract fail, cause by cause. The strategies must be loaded."""
    from ue_bench.testing import cause_lines, check_forms

    for name in names:
        for line in cause_lines(check_forms(name, file)):
            yield f"{name}: {line}"


def known_faults(results: Path) -> list[str]:
    """Return the lines of the file of known faults, without blank ones and comments (#).

    Raises BenchError for a file that cannot be read.
    """
    path = results / KNOWN
    try:
        text = read_regular(path, MOST_KNOWN).decode()
    except FileNotFoundError:
        return []
    except (OSError, UnicodeDecodeError) as error:
        raise BenchError(f"{path} cannot be read ({error}); give a file of lines") from error
    return [line for line in text.splitlines() if line and not line.startswith("#")]


def _documents() -> list[Path]:
    """README.md and the Markdown files of docs, where they exist."""
    candidates = [Path("README.md"), *sorted(Path("docs").glob("*.md"))]
    return [path for path in candidates if path.is_file()]

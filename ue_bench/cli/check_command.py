"""`ue-bench check`."""

import sys
from pathlib import Path

import click

from ue_bench.cli.group import PUBLISHED, load_plugins, main, shared
from ue_bench.errors import BenchError, one_line
from ue_bench.whole_file import read_regular

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
@shared("plugins")
def check_command(
    files: tuple[Path, ...],
    results: Path,
    studies: tuple[str, ...],
    plugins: tuple[Path, ...],
) -> None:
    """Check published records, and the numbers that FILES quote from them.

    FILES are Markdown files; by default README.md and docs/*.md. The exit code is 1 if something is
    wrong. What is wrong and cannot be mended stands, line by line, in known-faults.txt of the
    folder; it is printed and does not count.
    """
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

"""`ue-bench check`."""

import sys
from pathlib import Path

import click

from ue_bench.cli.group import PUBLISHED, load_plugins, main, shared
from ue_bench.errors import one_line


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
    files: tuple[Path, ...], results: Path, studies: tuple[str, ...], plugins: tuple[Path, ...]
) -> None:
    """Check published records, and the numbers that FILES quote from them.

    FILES are Markdown files; by default README.md and docs/*.md. The exit code is 1 if something is
    wrong.
    """
    from ue_bench.cli.check import check
    from ue_bench.study import canonical, find

    load_plugins(plugins)
    for study in studies:
        find(study)  # raises for a file without a study
    documents = files or _documents()
    faults = check(results, documents, [canonical(study) for study in studies])
    for fault in faults:
        click.echo(one_line(fault))
    if faults:
        sys.exit(1)
    click.echo(one_line(f"{results} and {len(documents)} documents: nothing is wrong"))


def _documents() -> list[Path]:
    """README.md and the Markdown files of docs, where they exist."""
    candidates = [Path("README.md"), *sorted(Path("docs").glob("*.md"))]
    return [path for path in candidates if path.is_file()]

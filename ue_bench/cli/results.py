"""`ue-bench report`, `compare` and `check`: what stands in a results folder."""

import json
import sys
import webbrowser
from pathlib import Path

import click

from ue_bench.cli.group import PUBLISHED, load_plugins, main, shared, tell_left_out
from ue_bench.cli.listing import strategies
from ue_bench.cli.names import Name
from ue_bench.errors import BenchError, one_line


@main.command(epilog="Example: ue-bench report --results results/published --out report")
@click.option(
    "--study", "only", type=Name("study"), default=None, help="Report on this study alone."
)
@click.option(
    "--out",
    type=click.Path(path_type=Path, file_okay=False),
    default=None,
    help="Folder to write to.  [default: RESULTS/report]",
)
@click.option(
    "--update",
    type=click.Path(path_type=Path, dir_okay=False, exists=True),
    default=None,
    help="Also write the marked blocks of this Markdown file anew.",
)
@click.option("--open", "show", is_flag=True, help="Open the page in a browser.")
@shared("plugins", "results")
def report(
    only: str | None,
    out: Path | None,
    update: Path | None,
    show: bool,
    plugins: tuple[Path, ...],
    results: Path,
) -> None:
    """Draw figures, tables and a page from records alone."""
    from rich.console import Console

    from ue_bench.report import build
    from ue_bench.report.page.terminal import print_summary
    from ue_bench.study import names

    load_plugins(plugins)
    explained = {row["name"]: (row["summary"], row["source"]) for row in strategies()}
    outcome = build(results, out or results / "report", only, explained, names())
    if update:
        from ue_bench.record import write_whole
        from ue_bench.report.page.prose import refresh

        try:
            text = update.read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as error:
            raise BenchError(
                f"--update: {update} cannot be read ({error}); give a Markdown file"
            ) from error
        write_whole(update, refresh(text, outcome.evidence))
    print_summary(outcome, Console())
    if show and not webbrowser.open(outcome.page.resolve().as_uri()):
        raise BenchError(f"--open: no browser was found; open {outcome.page} yourself")


@main.command(
    epilog='Example: ue-bench compare unified "per_feature 2×8 (sqrt)" --results results/published'
)
@click.argument("one", type=Name("strategy"))
@click.argument("other", type=Name("strategy"))
@click.option("--study", "only", type=Name("study"), default=None, help="In this study alone.")
@shared("results", "json")
def compare(one: str, other: str, only: str | None, results: Path, as_json: bool) -> None:
    """Two strategies, or arms by their label in the report, paired over seeds: is ONE better than OTHER?"""
    from ue_bench.record import load_runs
    from ue_bench.report.evidence.compare import compare as compare_
    from ue_bench.report.evidence.compare import sentence

    records, skipped = load_runs(results, only)
    tell_left_out(skipped)
    rows = compare_(records, one, other)
    click.echo(
        json.dumps(rows, ensure_ascii=False)
        if as_json
        else "\n".join(one_line(sentence(row)) for row in rows)
    )


@main.command(epilog="Example: ue-bench check --results results/published README.md")
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
    help="The Python file of a study whose records are among them; repeatable.",
)
@shared("plugins")
def check(
    files: tuple[Path, ...], results: Path, studies: tuple[str, ...], plugins: tuple[Path, ...]
) -> None:
    """Say what is wrong with committed records, and where the numbers in FILES (README.md and docs/*.md) differ from them.

    Exit code 1 where something is.
    """
    from ue_bench.cli.check import check as faults
    from ue_bench.study import canonical, find

    load_plugins(plugins)
    for study in studies:
        find(study)  # tells a file that has none
    documents = files or [
        path for path in (Path("README.md"), *sorted(Path("docs").glob("*.md"))) if path.is_file()
    ]
    found = faults(results, documents, [canonical(study) for study in studies])
    click.echo(
        "\n".join(map(one_line, found))
        or f"{results} and {len(documents)} documents: nothing is wrong"
    )
    if found:
        sys.exit(1)

"""`ue-bench report`."""

from __future__ import annotations

import atexit
import gc
import webbrowser
from pathlib import Path
from typing import TYPE_CHECKING

import click

from ue_bench.cli.group import load_plugins, main, print_json, shared
from ue_bench.cli.json_alone import json_alone
from ue_bench.cli.names import Name
from ue_bench.cli.verdicts import verdicts_by_study
from ue_bench.errors import BenchError
from ue_bench.whole_file import read_regular, require_regular, write_whole

if TYPE_CHECKING:
    from ue_bench.report.evidence.evidence import Evidence


@main.command("report", epilog="Example: ue-bench report --results results/published --out report")
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
    help="Also rewrite the marked blocks of this Markdown file.",
)
@click.option("--open", "show", is_flag=True, help="Open the page in a browser.")
@click.option(
    "--json",
    "as_json",
    is_flag=True,
    help="Draw nothing: print arms, verdicts, boards and what is left out as JSON.",
)
@shared("plugins", "results")
@json_alone
def report_command(
    only: str | None,
    out: Path | None,
    update: Path | None,
    show: bool,
    as_json: bool,
    plugins: tuple[Path, ...],
    results: Path,
) -> None:
    """Make figures, tables and a page from the records alone."""
    if as_json:
        if out or update or show:
            raise BenchError("--json draws nothing; leave --out, --update and --open out")
        _print_data(only, plugins, results)
        return
    from rich.console import Console

    from ue_bench.report import build
    from ue_bench.report.page.terminal import print_summary
    from ue_bench.strategies.families import FAMILIES
    from ue_bench.strategies.registry import summaries
    from ue_bench.study import names

    # When the program ends, Python would search all records and figures for unused cycles.
    atexit.register(gc.freeze)
    load_plugins(plugins)
    if update:
        require_regular(update)  # a pipe would be waited for
    outcome = build(
        results,
        out or results / "report",
        only,
        summaries(),
        names(),
        tuple(FAMILIES.values()),
    )
    if update:
        _update(update, outcome.evidence)
    print_summary(outcome, Console())
    if show and not webbrowser.open(outcome.page.resolve().as_uri()):
        raise BenchError(f"--open: no browser was found; open {outcome.page} yourself")


def _print_data(only: str | None, plugins: tuple[Path, ...], results: Path) -> None:
    from ue_bench.report.as_data import as_data

    load_plugins(plugins)
    print_json(as_data(results, only))


def _update(document: Path, evidence: Evidence) -> None:
    """Rewrite the marked blocks of a Markdown file. Raises BenchError if it cannot be read."""
    from ue_bench.report.page.prose import refresh

    try:
        text = read_regular(document).decode()
    except (OSError, UnicodeDecodeError) as error:
        raise BenchError(
            f"--update: {document} cannot be read ({error}); give a Markdown file"
        ) from error
    verdicts = verdicts_by_study(evidence.records)
    write_whole(document, refresh(text, evidence, verdicts))

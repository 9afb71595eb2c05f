"""`ue-bench compare`."""

from pathlib import Path

import click

from ue_bench.cli.group import main, print_json, report_skipped, shared
from ue_bench.cli.names import Name
from ue_bench.errors import one_line


@main.command(
    "compare",
    epilog=(
        'Example: ue-bench compare unified "per_feature 2×8 (sqrt)" --results results/published'
    ),
)
@click.argument("one", type=Name("strategy"))
@click.argument("other", type=Name("strategy"))
@click.option("--study", "only", type=Name("study"), default=None, help="In this study alone.")
@click.option(
    "--across", is_flag=True, help="Let arms of different studies meet, where they are comparable."
)
@click.option(
    "--bytes",
    "size",
    type=click.Choice(["budget", "dictionary", "key-free"]),
    default="budget",
    show_default=True,
    help="At one budget of the tables; or in all bytes, with the vocabulary as a dictionary or "
    "without stored keys: then OTHER takes no more than ONE.",
)
@shared("results", "json")
def compare_command(
    one: str,
    other: str,
    only: str | None,
    across: bool,
    size: str,
    results: Path,
    as_json: bool,
) -> None:
    """Compare two strategies, or two arms by their labels in the report.

    Each line says whether ONE is better than OTHER at one size of one comparison.
    """
    from ue_bench.record import load_runs
    from ue_bench.report.evidence.across_studies import as_one_study
    from ue_bench.report.evidence.compare import compare, family, sentence

    records, skipped = load_runs(results, only)
    report_skipped(skipped)
    if across:
        records = as_one_study(records)
    rows = compare(records, one, other, size)
    if as_json:
        print_json(rows)
        return
    for row in rows:
        click.echo(one_line(sentence(row)))
    click.echo(family(rows))

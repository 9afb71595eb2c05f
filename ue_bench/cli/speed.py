"""`ue-bench speed`."""

import json
from pathlib import Path

import click

from ue_bench.cli.group import main, shared
from ue_bench.cli.names import Name


@main.command(epilog="Example: ue-bench speed forward hashing --quick")
@click.argument("cases", nargs=-1, type=Name("case"))
@click.option(
    "--quick", is_flag=True, help="Fewer repeats and smaller sizes, with a folder of its own."
)
@shared("results", "json")
def speed(cases: tuple[str, ...], quick: bool, results: Path, as_json: bool) -> None:
    """Measure the speed of CASES (default: all), each beside its peers and its limit, and write a record of each.

    All figures of a case are from one run, and every claim is a ratio. The machine should have nothing else to do.
    """
    from ue_bench import record as records
    from ue_bench.progress import progress
    from ue_bench.report.page.performance import terminal
    from ue_bench.speed import suite

    chosen = suite.chosen(cases)
    records.require_writable(results)
    done = []
    with progress("speed", len(chosen), "cases") as update:
        for number, name in enumerate(chosen):
            update(number, name)
            lines = []
            for line in suite.measure(name, quick):
                lines.append(line)
                update(number, f"{name}: {line['what']}")
            done.append(suite.record(name, quick, lines))
            records.write(done[-1], results)
            if not as_json:
                click.echo(terminal(done[-1]) + "\n")
        update(len(chosen))
    if as_json:
        click.echo(
            json.dumps([json.loads(record.to_json()) for record in done], ensure_ascii=False)
        )
    else:
        click.echo(f"records in {results / done[-1].study}")

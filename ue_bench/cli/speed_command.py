"""`ue-bench speed`."""

import json
from pathlib import Path

import click

from ue_bench.cli.group import main, print_json, shared
from ue_bench.cli.names import Name


@main.command("speed", epilog="Example: ue-bench speed forward hashing --quick")
@click.argument("cases", nargs=-1, type=Name("case"))
@click.option(
    "--quick", is_flag=True, help="Fewer repeats and smaller sizes, in a folder of its own."
)
@shared("results", "json")
def speed_command(cases: tuple[str, ...], quick: bool, results: Path, as_json: bool) -> None:
    """Measure the speed of CASES (default: all) and write a record of each.

    All numbers of a case come from one run, beside other implementations and the limit of the
    machine; every claim is a ratio. Nothing else should run on the machine.
    """
    from ue_bench import record as records
    from ue_bench.progress import progress
    from ue_bench.report.page.performance import terminal
    from ue_bench.speed import suite

    chosen = suite.chosen(cases)
    records.require_writable(results)
    written = []
    with progress("speed", len(chosen), "cases") as update:
        for number, name in enumerate(chosen):
            update(number, name)
            lines = []
            for line in suite.measure(name, quick):
                lines.append(line)
                update(number, f"{name}: {line['what']}")
            record = suite.record(name, quick, lines)
            records.write(record, results)
            written.append(record)
            if not as_json:
                click.echo(terminal(record) + "\n")
        update(len(chosen))
    if as_json:
        rows = [json.loads(record.to_json()) for record in written]
        print_json(rows)
    else:
        click.echo(f"records in {results / written[-1].study}")

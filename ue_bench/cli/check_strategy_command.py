"""`ue-bench check-strategy`."""

import sys
from pathlib import Path

import click

from ue_bench.cli.group import main
from ue_bench.errors import one_line


@main.command("check-strategy", epilog="Example: ue-bench check-strategy my_strategy.py")
@click.argument("path", type=click.Path(path_type=Path))
def check_strategy_command(path: Path) -> None:
    """Test the strategies of a Python file against the contract.

    The exit code is 1 if a test fails.
    """
    from ue_bench.strategies import load_plugin

    n_failures = 0
    for name, entry in load_plugin(path).items():
        for regions in entry.regions:
            n_failures += check_form(name, regions, path)
    if n_failures:
        sys.exit(1)


def check_form(name: str, regions: str, path: Path, err: bool = False) -> int:
    """Print the result for one form of a strategy, and return the number of failed tests."""
    from ue_bench.testing import check

    findings = list(check(name, regions, path))
    failures = [(test, fault) for test, fault in findings if fault]
    n_passed = len(findings) - len(failures)
    click.echo(f"{one_line(name)}, {regions}: {n_passed} of {len(findings)} tests pass", err=err)
    for test, fault in failures:
        sentence = test.removeprefix("test_").replace("_", " ")
        click.echo(f"  {sentence}: {fault}", err=err)
    return len(failures)

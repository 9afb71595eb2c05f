"""`ue-bench check-strategy`."""

import sys
from collections.abc import Iterable
from pathlib import Path

import click

from ue_bench.cli.apart import Say, apart
from ue_bench.cli.group import main
from ue_bench.errors import one_line


@main.command("check-strategy", epilog="Example: ue-bench check-strategy my_strategy.py")
@click.argument("path", type=click.Path(path_type=Path))
def check_strategy_command(path: Path) -> None:
    """Test the strategies of a Python file against the contract.

    The exit code is 1 if a test fails.
    """

    def work(say: Say) -> bool:
        from ue_bench.strategies import load_plugin

        return keep_contract(load_plugin(path), path, say)

    if not apart(path, work):
        sys.exit(1)


def keep_contract(names: Iterable[str], path: Path, say: Say) -> bool:
    """Say how strategies of a file keep the contract, and return whether all of them do."""
    from ue_bench.testing import cause_lines, check_forms

    all_keep = True
    for name in names:
        forms = []
        for form in check_forms(name, path):
            passed = f"{form.n_passed} of {form.n_tests} tests pass"
            say(one_line(f"{name}, {form.regions}: {passed}"))
            forms.append(form)
        for line in cause_lines(forms):
            say(f"  {line}")
            all_keep = False
    return all_keep

"""Runs the contract on a strategy of the list, and says each cause of failed tests once.

Code that raises fails most tests of every form. What it raises is one cause, which has the file and
the line of the plug-in.
"""

import re
from collections.abc import Hashable, Iterable, Iterator
from pathlib import Path
from typing import NamedTuple

from ue_bench.errors import BenchError, first_line, one_line
from ue_bench.plugins import raised_in
from ue_bench.strategies.registry import entry_of
from ue_bench.testing.contract import StrategyContract


class Fault(NamedTuple):
    """What is wrong with a strategy, as one test finds it.

    text: one line. cause: equal where one and the same thing is wrong, whatever the tests are.
    """

    text: str
    cause: Hashable


class CheckedForm(NamedTuple):
    """One form of a strategy with the tests of the contract that it failed, by name of the test."""

    regions: str
    n_tests: int
    faults: dict[str, Fault]

    @property
    def n_passed(self) -> int:
        return self.n_tests - len(self.faults)


def check(
    name: str, regions: str, plugin: Path | None = None
) -> Iterator[tuple[str, Fault | None]]:
    """Run the contract's tests on a form of a strategy of the list.

    plugin: the file that the strategy comes from. Yields each test's name, and what is wrong (None:
    nothing).
    """
    attributes = {"strategy": name, "regions": regions, "plugin": plugin}
    contract = type("Checked", (StrategyContract,), attributes)()
    for test in vars(StrategyContract):
        if test.startswith("test_"):
            yield test, _fault(contract, test)


def check_forms(name: str, plugin: Path | None = None) -> Iterator[CheckedForm]:
    """Run the contract's tests on a strategy of the list, and yield each of its forms."""
    for regions in entry_of(name).regions:
        tests = list(check(name, regions, plugin))
        faults = {test: fault for test, fault in tests if fault is not None}
        yield CheckedForm(regions, len(tests), faults)


def cause_lines(forms: Iterable[CheckedForm]) -> list[str]:
    """Return a line for each cause of the failures of a strategy; none where all tests pass.

    forms: all forms of the strategy. A line says in how many tests and in which forms the cause is
    found, or names the test where it is only one.
    """
    forms = list(forms)
    texts: dict[Hashable, str] = {}
    tests: dict[Hashable, list[str]] = {}
    failed: dict[Hashable, list[str]] = {}
    for form in forms:
        for test, fault in form.faults.items():
            texts.setdefault(fault.cause, fault.text)
            _add_new(tests.setdefault(fault.cause, []), test)
            _add_new(failed.setdefault(fault.cause, []), form.regions)
    lines = []
    for cause, text in texts.items():
        where = []
        if len(tests[cause]) == 1:
            sentence = tests[cause][0].removeprefix("test_").replace("_", " ")
            text = f"{sentence}: {text}"
        else:
            where.append(f"in {len(tests[cause])} tests")
        if len(forms) > 1:
            where.append(_forms_text(failed[cause], len(forms)))
        suffix = f" ({', '.join(where)})" if where else ""
        lines.append(one_line(f"{text}{suffix}"))
    return lines


def _add_new(names: list[str], name: str) -> None:
    if name not in names:
        names.append(name)


def _forms_text(failed: list[str], n_forms: int) -> str:
    if len(failed) < n_forms:
        return " and ".join(failed)
    return "both forms" if n_forms == 2 else f"all {n_forms} forms"


def _fault(contract: StrategyContract, test: str) -> Fault | None:
    """Run one test and describe in one line how it fails. None: it passes."""
    try:
        getattr(contract, test)()
    except KeyboardInterrupt:  # Ctrl-C and SIGTERM may arrive at any line of the plug-in
        raise
    # A stranger's code may raise anything, and the report names it. A SystemExit with code 0 would
    # end the command as if all were well.
    except BaseException as error:
        if contract.plugin is not None:
            raised = raised_in(error, [contract.plugin])
            if raised is not None:
                return Fault(str(raised), cause=(raised.place, raised.kind))
        if not isinstance(error, (Exception, SystemExit)):
            raise
        message = first_line(error)
        if isinstance(error, AssertionError):
            text = message or "the assertion does not hold"
        elif isinstance(error, BenchError):  # it says itself what is wrong and of what
            text = str(error)
            # the tests have batches and budgets of many sizes, and the cause is one
            return Fault(text, cause=re.sub(r"[\d,]+", "0", text))
        else:
            text = f"raised {type(error).__name__}: {message}"
        return Fault(text, cause=text)
    return None

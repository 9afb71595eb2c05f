"""The page about strategies, made from the list and from the docstring at the head of each method's file."""

import inspect
import sys
from textwrap import dedent

from ue_bench.strategies.entry import Entry
from ue_bench.strategies.registry import STRATEGIES

COMMAND = "ue-bench list strategies --markdown > docs/strategies.md"


def markdown() -> str:
    """The whole page: a table of all strategies, then each method's formula and how its bytes are counted."""
    lines = [
        "# Strategies",
        "",
        f"Made by `{COMMAND}` from the list of strategies and the head of each method's file.",
        "",
    ]
    lines += [
        "| name | what it is | forms | needs a vocabulary | knobs | source |",
        "|---|---|---|---|---|---|",
    ]
    lines += [_row(name, entry) for name, entry in STRATEGIES.items()]
    by_file: dict[str, list[str]] = {}
    for name, entry in STRATEGIES.items():
        by_file.setdefault(entry.method.__module__, []).append(name)
    for module, names in by_file.items():
        lines += [
            "",
            f"## {', '.join(f'`{name}`' for name in names)}",
            "",
            *section(sys.modules[module].__doc__ or ""),
        ]
    return "\n".join(lines) + "\n"


def section(docstring: str) -> list[str]:
    """A docstring as Markdown: the title, the indented formula as a code block, the text."""
    lines: list[str] = []
    for block in inspect.cleandoc(docstring).split("\n\n"):
        if block.startswith("    "):
            lines += ["```text", *dedent(block).splitlines(), "```", ""]
        else:
            lines += [" ".join(block.split()), ""]
    return lines[:-1]


def _row(name: str, entry: Entry) -> str:
    knobs = {
        knob: default for knob, default in entry.method.knobs.items() if knob not in entry.fixed
    }
    cells = (
        f"`{name}`",
        entry.summary,
        ", ".join(entry.regions),
        "yes" if entry.needs_vocabulary else "no",
        ", ".join(f"{knob} = {default}" for knob, default in knobs.items()),
        entry.source,
    )
    return f"| {' | '.join(cells)} |"

"""The page about strategies, made from their list and from the docstrings of the methods' files."""

import inspect
import sys
from textwrap import dedent

from ue_bench.strategies.entry import Entry
from ue_bench.strategies.registry import STRATEGIES

COMMAND = "ue-bench list strategies --markdown > docs/strategies.md"
HEAD = f"""# Strategies

Made by `{COMMAND}` from the list of strategies and the head of each method's file.

| name | what it is | forms | needs a vocabulary | knobs | source |
|---|---|---|---|---|---|"""


def markdown() -> str:
    """The whole page: a table of all strategies, then each method's formula and bytes."""
    lines = [HEAD]
    names_by_module: dict[str, list[str]] = {}
    for name, entry in STRATEGIES.items():
        lines.append(_row(name, entry))
        names_by_module.setdefault(entry.method.__module__, []).append(f"`{name}`")
    for module, names in names_by_module.items():
        docstring = sys.modules[module].__doc__ or ""
        lines += ["", f"## {', '.join(names)}", "", *section(docstring)]
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
    knobs = []
    for knob, default in entry.method.knobs.items():
        if knob not in entry.fixed:
            knobs.append(f"{knob} = {default}")
    cells = (
        f"`{name}`",
        entry.summary,
        ", ".join(entry.regions),
        "yes" if entry.needs_vocabulary else "no",
        ", ".join(knobs),
        entry.source,
    )
    return f"| {' | '.join(cells)} |"

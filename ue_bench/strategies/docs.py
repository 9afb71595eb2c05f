"""The page about strategies, made from their list and from the docstrings of the methods' files."""

import inspect
import sys
from textwrap import dedent

from ue_bench.config.number_bits import BITS
from ue_bench.strategies import few_bits, packed_rows
from ue_bench.strategies.anchor_entries import ANCHORS
from ue_bench.strategies.entry import Entry
from ue_bench.strategies.registry import STRATEGIES

COMMAND = "ue-bench list strategies --markdown > docs/strategies.md"
HEAD = f"""# Strategies

Made by `{COMMAND}` from the list of strategies and the head of each method's file.

| name | what it is | forms | needs a vocabulary | bits | knobs | source |
|---|---|---|---|---|---|---|"""
BITS_HEAD = """
## Numbers of few bits

How many bits a number of the table has is an axis of its own beside method and regions: `--bits 4`,
or `bits="int4"` of a run. The strategies with `any` bits in the table above take 32, 16, 8, 4, 3, 2
and 1. The budget pays for the bytes of the codes and of their steps. `--bits-step` says what has a
step of its own, `--bits-rule` how it comes about, `--bits-warm-up` when rounding begins. `int8` and
`int4` are names of exact rows in such a format.
"""
ANCHORS_HEAD = """
## Anchors

An anchor predicts from user and item alone and has no embedding table. It is an arm like a
strategy: `--strategy bias`, or `--strategy matrix_factorisation --option rank=8`. It keeps no
budget. Its bytes are those of its numbers in 32 bits, and of the vocabularies of user and item. The
fields of a run that are about tables and training change nothing.

| name | what it is | option | source |
|---|---|---|---|"""


def markdown() -> str:
    """The whole page: a table of all strategies, each method's formula and bytes, the anchors."""
    lines = [HEAD]
    names_by_module: dict[str, list[str]] = {}
    for name, entry in STRATEGIES.items():
        lines.append(_row(name, entry))
        names_by_module.setdefault(entry.method.__module__, []).append(f"`{name}`")
    for module, names in names_by_module.items():
        docstring = sys.modules[module].__doc__ or ""
        lines += ["", f"## {', '.join(names)}", "", *section(docstring)]
    lines += [BITS_HEAD, *section(packed_rows.__doc__ or ""), "", *section(few_bits.__doc__ or "")]
    lines.append(ANCHORS_HEAD)
    for name, anchor in ANCHORS.items():
        lines.append(f"| `{name}` | {anchor.summary} | {anchor.option or ''} | {anchor.source} |")
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


def _vocabulary_cell(entry: Entry) -> str:
    if entry.needs_values:
        return "to be built"
    return "yes" if entry.needs_vocabulary else "no"


def _bits_cell(entry: Entry) -> str:
    if entry.float_only:
        return "32"
    return str(BITS[entry.numbers["bits"]]) if entry.numbers else "any"


def _row(name: str, entry: Entry) -> str:
    knobs = []
    for knob, default in entry.method.knobs.items():
        if knob not in entry.fixed:
            knobs.append(f"{knob} = {default}")
    cells = (
        f"`{name}`",
        entry.summary,
        ", ".join(entry.regions),
        _vocabulary_cell(entry),
        _bits_cell(entry),
        ", ".join(knobs),
        entry.source,
    )
    return f"| {' | '.join(cells)} |"

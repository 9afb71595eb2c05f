"""What `ue-bench speed` measured, as text for a terminal and as Markdown."""

import math
import textwrap
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from ue_bench.record import SpeedRecord
from ue_bench.report.format import NOTHING, bytes_text

WIDTH = 80
_TIME_UNITS = (("s", 1.0), ("ms", 1e-3), ("µs", 1e-6))


def amount(value: float | None, unit: str) -> str:
    """3.21 µs, 41.3 ms, 12,300,000 rows/s, 1.4 GB: a value with three digits."""
    if value is None:
        return "not measured"
    if unit == "B":
        return bytes_text(value)
    if unit == "s":
        return _time(value)
    if value >= 100:
        return f"{float(f'{value:.3g}'):,.0f} {unit}"
    return f"{value:.3g} {unit}"


def _time(seconds: float) -> str:
    for unit, size in _TIME_UNITS:
        if seconds >= size:
            return f"{_three_digits(seconds / size)} {unit}"
    return f"{_three_digits(seconds / 1e-9)} ns"


def _three_digits(value: float) -> str:
    """A value with three digits and without an exponent."""
    if value <= 0:
        return "0"
    return f"{value:.{max(0, 2 - math.floor(math.log10(value)))}f}"


def claim_text(claim: Mapping[str, Any]) -> str:
    """1.06 x the limit (must be <= 1.15: reached)."""
    text = f"{_ratio(claim['ratio'])} {claim['of']}"
    if claim["must"]:
        result = "reached" if claim["reached"] else "NOT REACHED"
        text += f" (must be {claim['must']}: {result})"
    return text


def _ratio(value: float) -> str:
    """Three digits, or four decimals for a slope or a difference that is small or negative."""
    return _three_digits(value) if value >= 0.1 else f"{value:.4f}"


def terminal(record: SpeedRecord) -> str:
    """A case in lines of at most 80 columns."""
    measured = record.cost["lines"]
    lines = textwrap.wrap(record.found["title"], WIDTH)
    for line in measured:
        lines.append(f"  {line['what']}: {amount(line['value'], line['unit'])}")
        lines += _wrapped("; ".join([*_claims(line), *_others(line)]), indent=4)
    for note in _notes(measured):
        lines += _wrapped(note, indent=2)
    return "\n".join(lines)


def _wrapped(text: str, indent: int) -> list[str]:
    """The text in indented lines, with a margin of the same width at the right."""
    space = " " * indent
    return textwrap.wrap(text, WIDTH - indent, initial_indent=space, subsequent_indent=space)


def _claims(line: Mapping[str, Any]) -> list[str]:
    return [claim_text(claim) for claim in line["claims"]]


def _others(line: Mapping[str, Any]) -> list[str]:
    """What else was measured beside a line."""
    return [f"{name} {amount(value, line['unit'])}" for name, value in line["beside"].items()]


def _notes(measured: Iterable[Mapping[str, Any]]) -> list[str]:
    """The notes of all lines, each once."""
    notes: list[str] = []
    for line in measured:
        if line["note"] and line["note"] not in notes:
            notes.append(line["note"])
    return notes


def markdown(records: Sequence[SpeedRecord], cases: Sequence[str]) -> list[str]:
    """The tables of these cases, in their order.

    The single name `claims` stands for a table of all requirements, whatever the case.
    """
    by_case = {record.config.case: record for record in records}
    if list(cases) == ["claims"]:
        return _requirements(by_case)
    lines = []
    for case in cases:
        if case in by_case:
            lines += _table(by_case[case])
    return lines


def _table(record: SpeedRecord) -> list[str]:
    measured = record.cost["lines"]
    lines = [f"**{record.found['title']}**", ""]
    lines += ["| what | measured | claim | beside it |", "|---|---|---|---|"]
    for line in measured:
        value = amount(line["value"], line["unit"])
        claims = "; ".join(_claims(line)) or NOTHING
        others = "; ".join(_others(line)) or NOTHING
        lines.append(f"| {line['what']} | {value} | {claims} | {others} |")
    env = record.env
    machine = f"{env['cpu']}, {env['cores']} cores"
    where = f"{machine}, torch {env['versions']['torch']}, {env['time'][:10]}"
    lines.append("")
    lines += [f"Note: {note}." for note in _notes(measured)]
    return [*lines, f"Measured by `ue-bench speed {record.config.case}`: {where}.", ""]


def _requirements(by_case: Mapping[str, SpeedRecord]) -> list[str]:
    """One row a claim that a measurement must reach."""
    rows = []
    for case, record in sorted(by_case.items()):
        for line in record.cost["lines"]:
            for claim in line["claims"]:
                if claim["must"]:
                    measured = f"{_ratio(claim['ratio'])} {claim['of']}"
                    reached = "yes" if claim["reached"] else "**no**"
                    what = f"{case}: {line['what']}"
                    rows.append(f"| {what} | {measured} | {claim['must']} | {reached} |")
    if not rows:
        return []
    return ["| what | measured | must be | reached |", "|---|---|---|---|", *rows]

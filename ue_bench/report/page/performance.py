"""What `ue-bench speed` measured, told to a terminal and as Markdown: records in, lines out."""

import math
import textwrap
from collections.abc import Mapping, Sequence
from typing import Any

from ue_bench.record import SpeedRecord
from ue_bench.report.format import NOTHING, bytes_text

WIDTH = 80
_STEPS = (("s", 1.0), ("ms", 1e-3), ("µs", 1e-6), ("ns", 1e-9))


def amount(value: float | None, unit: str) -> str:
    """3.21 µs, 41.3 ms, 12,300,000 rows/s, 1.4 GB: three digits."""
    if value is None:
        return "not measured"
    if unit == "B":
        return bytes_text(value)
    if unit != "s":
        return f"{float(f'{value:.3g}'):,.0f} {unit}" if value >= 100 else f"{value:.3g} {unit}"
    name, size = next(((name, size) for name, size in _STEPS if value >= size), _STEPS[-1])
    return f"{_three(value / size)} {name}"


def _three(value: float) -> str:
    """Three digits, without an exponent."""
    return f"{value:.{max(0, 2 - math.floor(math.log10(value)))}f}" if value > 0 else "0"


def claim(told: dict[str, Any]) -> str:
    """1.06 x the limit (must be <= 1.15: reached)."""
    must = (
        f" (must be {told['must']}: {'reached' if told['reached'] else 'NOT REACHED'})"
        if told["must"]
        else ""
    )
    return f"{_ratio(told['ratio'])} {told['of']}{must}"


def _ratio(value: float) -> str:
    """Three digits; a slope or a difference may be zero or less."""
    return _three(value) if value >= 0.1 else f"{value:.4f}"


def terminal(record: SpeedRecord) -> str:
    """A case in lines of at most 80 columns."""
    lines = [*textwrap.wrap(record.found["title"], WIDTH)]
    notes = []
    for line in record.cost["lines"]:
        lines.append(f"  {line['what']}: {amount(line['value'], line['unit'])}")
        told = [claim(one) for one in line["claims"]]
        told += [f"{name} {amount(value, line['unit'])}" for name, value in line["beside"].items()]
        lines += textwrap.wrap(
            "; ".join(told), WIDTH - 4, initial_indent="    ", subsequent_indent="    "
        )
        if line["note"] and line["note"] not in notes:
            notes.append(line["note"])
    for note in notes:
        lines += textwrap.wrap(note, WIDTH - 2, initial_indent="  ", subsequent_indent="  ")
    return "\n".join(lines)


def markdown(records: Sequence[SpeedRecord], cases: Sequence[str]) -> list[str]:
    """The tables of the cases named, in their order, or, for the one name `claims`, what all cases had to reach."""
    by_case = {record.config.case: record for record in records}
    if list(cases) == ["claims"]:
        return _claims(by_case)
    return [line for case in cases if case in by_case for line in _table(by_case[case])]


def _table(record: SpeedRecord) -> list[str]:
    lines = [
        f"**{record.found['title']}**",
        "",
        "| what | measured | claim | beside it |",
        "|---|---|---|---|",
    ]
    notes = []
    for line in record.cost["lines"]:
        claims = "; ".join(map(claim, line["claims"])) or NOTHING
        beside = (
            "; ".join(
                f"{name} {amount(value, line['unit'])}" for name, value in line["beside"].items()
            )
            or NOTHING
        )
        lines.append(
            f"| {line['what']} | {amount(line['value'], line['unit'])} | {claims} | {beside} |"
        )
        if line["note"] and line["note"] not in notes:
            notes.append(line["note"])
    env = record.env
    where = (
        f"{env['cpu']}, {env['cores']} cores, torch {env['versions']['torch']}, {env['time'][:10]}"
    )
    return [
        *lines,
        "",
        *(f"Note: {note}." for note in notes),
        f"Measured by `ue-bench speed {record.config.case}`: {where}.",
        "",
    ]


def _claims(by_case: Mapping[str, SpeedRecord]) -> list[str]:
    """A row a claim that demands something."""
    rows = [
        f"| {case}: {what} | {_ratio(told['ratio'])} {told['of']} | {told['must']} | {'yes' if told['reached'] else '**no**'} |"
        for case, record in sorted(by_case.items())
        for what, told in (
            (line["what"], told) for line in record.cost["lines"] for told in line["claims"]
        )
        if told["must"]
    ]
    return ["| what | measured | must be | reached |", "|---|---|---|---|", *rows] if rows else []

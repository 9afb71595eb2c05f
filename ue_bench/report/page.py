"""The report as one Markdown page: question, answer, figures, table, what was left out, environment, and how to make it again."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import pandas as pd

from ue_bench.record import Record
from ue_bench.report import left_out, ranks
from ue_bench.report.answer import sentences
from ue_bench.report.arms import Arms
from ue_bench.report.frames import groups, records
from ue_bench.report.summary import ANCHORS, BATCH, SCOPE, panel
from ue_bench.report.text import NOTHING, bytes_text, interval_text, micros_text, missing, mse_text, ratio_text

QUESTION = (
    "For this data and this memory, how should categorical features be embedded: one multiplexed table for all "
    "features, one hashed table per feature, an exact (collisionless) table, or something cleverer?"
)
COMMANDS = ("ue-bench study {study} --results {results}", "ue-bench report --results {results} --out {out}")
ANCHOR_ROWS = {
    "mean": "global mean",
    "item_mean": "item mean",
    "bias": "user and item bias model",
    "mf": "biased matrix factorisation",
}


@dataclass(frozen=True)
class Drawn:
    """A figure or table in the report: its files relative to the page, or the reason why there is none."""

    title: str
    caption: str = ""
    picture: str = ""
    table: str = ""
    reason: str = ""
    lines: Sequence[str] = ()  # Markdown below the figure


@dataclass(frozen=True)
class Page:
    """All that the page tells."""

    arms: Arms
    summary: pd.DataFrame
    verdicts: pd.DataFrame
    drawn: Sequence[Drawn]
    skipped: Sequence[str]
    records: Sequence[Record]
    results: str
    out: str
    studies: Sequence[str] = field(default=())

    def text(self) -> str:
        parts = [
            ["# Benchmark of embedding-table strategies", "", f"Question: {QUESTION}"],
            ["## Answer", "", *sentences(self.summary, self.verdicts)],
            ["## Figures", *(line for drawn in self.drawn for line in _figure(drawn))],
            ["## Summary", "", _table_note(), *ranks.tables(self.summary), *tables(self.summary)],
            ["## Left out", "", *left_out.lines(self.arms, self.summary, self.skipped)],
            ["## Environment", "", *_environment(self.records)],
            ["## Make it again", "", "```sh", *self._commands(), "```"],
        ]
        return "\n\n".join("\n".join(part).rstrip() for part in parts) + "\n"

    def _commands(self) -> list[str]:
        first, last = COMMANDS
        return [
            *(first.format(study=s, results=self.results) for s in self.studies if s != "run"),  # single runs are no study
            last.format(results=self.results, out=self.out),
        ]


def _figure(drawn: Drawn) -> list[str]:
    if drawn.reason:
        return ["", f"### {drawn.title}", "", f"Not drawn: {drawn.reason}."]
    picture = [f"![{drawn.title}]({drawn.picture}.png)", ""] if drawn.picture else []
    links = f"[SVG]({drawn.picture}.svg), [data]({drawn.table})" if drawn.picture else f"[data]({drawn.table})"
    return ["", f"### {drawn.title}", "", *picture, f"{drawn.caption} {links}", *(["", *drawn.lines] if drawn.lines else [])]


def _table_note() -> str:
    return (
        "MSE: mean and 95 % t-interval over n seeds. Table: with auxiliary data, and as a part of the exact table. "
        f"Total: with the vocabulary. Latency: median microseconds of a lookup of {BATCH} rows from codes (~: unstable). "
        "▽: not better than the bias model. All columns: [summary.csv](tables/summary.csv); "
        "the paired tests: [paired.csv](tables/paired.csv)."
    )


def tables(summary: pd.DataFrame) -> list[str]:
    """Markdown lines: a table for each comparison, with the anchors at its head."""
    lines = []
    for key, part in groups(summary, SCOPE):
        tested = bool(part["test_mse_mean"].notna().any())
        lines += ["", f"### {panel(part).iloc[0]}, study `{key[0]}`", ""]
        lines += [
            f"| arm | budget | table | total | n | {'test' if tested else 'validation'} MSE | µs |",
            "|---|--:|--:|--:|--:|---|--:|",
        ]
        for name in ANCHORS:
            value = part[f"anchor_{name}"].mean()
            if not missing(value):
                lines.append(f"| *{ANCHOR_ROWS[name]}* | | | | | *{mse_text(value)}* | |")
        ordered = part.sort_values(["budget", "test_mse_mean" if tested else "val_mse_mean", "label"], kind="stable")
        lines += [_row(row, "test" if tested else "val") for row in records(ordered)]
    return lines


def _row(row: dict[Any, Any], part: str) -> str:
    table = row["table_bytes"] + row["auxiliary_bytes"]
    size = f"{bytes_text(table)} ({ratio_text(table, row['exact_table_bytes'])})"
    mse = interval_text(*(row[f"{part}_mse_{name}"] for name in ("mean", "low", "high"))) + (
        " ▽" if row["beats_bias"] is False else ""
    )
    latency = ("~" if row["latency_unstable"] is True else "") + micros_text(row["latency_us"])
    n = f"{row['n']} of {row['n_most']}" if row["n"] < row["n_most"] else row["n"]
    return (
        f"| {row['label']} | {bytes_text(row['budget'])} | {size} | {bytes_text(row['total_bytes'])} | {n} | {mse} | {latency} |"
    )


def _environment(records: Sequence[Record]) -> list[str]:
    """Each fact with its values, the most common first; a count where they differ."""
    facts = {
        "code": lambda r: f"{str(r.env.get('git_sha'))[:12]}{' (with changes)' if r.env.get('git_dirty') else ''}",
        "CPU": lambda r: f"{r.env.get('cpu')}, {r.env.get('cores')} cores",
        "GPU": lambda r: r.env.get("gpu"),
        "threads": lambda r: r.found.get("threads", r.env.get("threads")),
        "platform": lambda r: r.env.get("platform"),
        "versions": lambda r: ", ".join(f"{name} {version}" for name, version in sorted(r.env.get("versions", {}).items())),
        "data": lambda r: f"{r.config.get('dataset')} from {r.found.get('source')}, checksum {r.found.get('checksum')}",
        "optimizer": lambda r: r.found.get("optimizer_path"),
    }
    ran = [record for record in records if record.env]
    lines = [f"- records: {len(records)} ({sum(record.status == 'ok' for record in records)} ok)"]
    for name, fact in facts.items():
        counts = Counter(str(value) for record in ran if (value := fact(record)) is not None)
        values = [text if len(counts) == 1 else f"{text} ({n})" for text, n in counts.most_common(5)]
        lines.append(f"- {name}: {'; '.join(values) or NOTHING}")
    times = sorted(str(record.env["time"]) for record in ran if record.env.get("time"))
    return [*lines, f"- measured: {times[0]} to {times[-1]}"] if times else lines

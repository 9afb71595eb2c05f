"""The tidy summary: one row an arm, with the mean over its seeds and a 95 % interval. Needs no plotting library."""

from collections.abc import Hashable, Iterable, Mapping, Sequence
from statistics import median
from typing import Any

import pandas as pd

from ue_bench.record import Record
from ue_bench.report.evidence.arms import Arm, seeds_of
from ue_bench.report.evidence.comparison import USUAL_TASK, Comparison
from ue_bench.report.evidence.frames import records
from ue_bench.report.evidence.labels import lookups_text
from ue_bench.report.evidence.statistics import interval

SCOPE = list(Comparison._fields)
BATCH = 256  # the batch size of the one latency that stands in tables, looked up from codes
ANCHORS = ("mean", "item_mean", "bias", "mf")
MORE = ("auc", "log_loss")  # scores of the binary task beside the MSE of its probabilities
MOSTLY_UNSEEN = 0.5  # share of judged rows with users that training never saw, from which a split says little about embeddings
_BYTES = (
    "total_bytes",
    "table_bytes",
    "auxiliary_bytes",
    "vocabulary_bytes",
    "vocabulary_floor_bytes",
    "head_bytes",
)
_TRAINING_BYTES = ("optimizer_bytes", "peak_training_bytes")
COLUMNS = (
    "study",
    "dataset",
    "features",
    "split",
    "strategy",
    "regions",
    "region_rule",
    "lookups",
    "dim",
    "budget",
    "total_bytes",
    "n",
    "test_mse_mean",
    "test_mse_low",
    "test_mse_high",
    "run_ids",
    "head",
    "phase",
    "label",
    "group",
    "n_most",
    *_BYTES[1:],
    *_TRAINING_BYTES,
    "exact_table_bytes",
    "compression",
    "val_mse_mean",
    "val_mse_low",
    "val_mse_high",
    "latency_us",
    "latency_unstable",
    "train_seconds",
    *(f"anchor_{name}" for name in ANCHORS),
    "beats_bias",
    "method",
    "task",
    *(
        f"{part}_{score}_{of}"
        for part in ("test", "val")
        for score in MORE
        for of in ("mean", "low", "high")
    ),
    *(f"anchor_{name}_{score}" for name in ANCHORS for score in MORE),
)


def summarise(arms: Iterable[Arm]) -> pd.DataFrame:
    """One row an arm, sorted. Anchors are test MSE, or validation MSE where the split has no test part."""
    frame = pd.DataFrame([_row(arm) for arm in arms], columns=list(COLUMNS))
    text = (
        *SCOPE,
        "strategy",
        "regions",
        "region_rule",
        "lookups",
        "run_ids",
        "label",
        "group",
        "method",
    )
    whole = ("budget", *_BYTES, *_TRAINING_BYTES, "exact_table_bytes", "n", "n_most")
    flags = ("beats_bias", "latency_unstable")  # true, false or not known
    real = [name for name in COLUMNS if name not in (*text, *whole, *flags, "dim")]
    frame = frame.astype(
        dict.fromkeys(whole, "Int64") | dict.fromkeys(real, float) | dict.fromkeys(flags, object)
    )
    return frame.sort_values(
        [*SCOPE, "strategy", "label", "budget"], kind="stable", ignore_index=True
    )


def score(summary: pd.DataFrame) -> pd.DataFrame:
    """The measured arms, with `part`, `mse`, `low`, `high`: of the test part where the split has one, else validation."""
    frame = summary[summary["n"] > 0].copy()
    tested = frame["test_mse_mean"].notna()
    frame["part"] = tested.map({True: "test", False: "validation"})
    for short in ("mse", "low", "high"):
        long = "mse_mean" if short == "mse" else f"mse_{short}"
        frame[short] = frame[f"test_{long}"].where(tested, frame[f"val_{long}"])
    return frame


def key(row: Mapping[Any, Any]) -> tuple[Any, ...]:
    """Comparison, label and budget of a row: what `Arm.key` is of an arm."""
    return (
        *(row[name] for name in SCOPE),
        row["label"],
        None if pd.isna(row["budget"]) else int(row["budget"]),
    )


def by_seed(arm: Arm, part: str, measure: str = "mse") -> dict[Hashable, float]:
    """The MSE (or another score) of each run by its seeds, of the part that is quoted: for paired tests."""
    name = f"{'test' if part == 'test' else 'val'}_{measure}"
    return {
        seeds_of(run): value for run in arm.runs if (value := run.quality.get(name)) is not None
    }


def panel(frame: pd.DataFrame) -> pd.Series:
    """Return the title of the comparison of each row: the title of the panel that shows it."""
    titles = [Comparison(**row).title for row in records(frame[SCOPE])]
    return pd.Series(titles, frame.index, dtype=str)


def part_mse(run: Record, part: str) -> float | None:
    return run.quality.get(f"{part}_mse")


def is_binary(part: pd.DataFrame) -> bool:
    """Whether the arms of one comparison predict labels."""
    return part["task"].iloc[0] != USUAL_TASK


def _row(arm: Arm) -> dict[str, Any]:
    config, found = arm.config, arm.sample.found
    measured = arm.runs or arm.timings
    size = {
        name: _mean([run.cost.get(name) for run in measured])
        for name in (*_BYTES, *_TRAINING_BYTES)
    }
    row: dict[str, Any] = {
        **{name: config.get(name) for name in COLUMNS if name in config},
        **arm.comparison._asdict(),
    }
    row |= {"lookups": lookups_text(config["lookups"]), "dim": found.get("dim", config.get("dim"))}
    row |= {name: None if value is None else round(value) for name, value in size.items()}
    row |= {"n": len(arm.runs), "n_most": arm.n_most, "label": arm.label, "group": arm.group}
    row["method"] = (
        found.get("method") or config["strategy"]
    )  # strategies that are forms of one method may say so
    row["run_ids"] = " ".join(run.run_id for run in arm.runs)
    for name in (f"{part}_{score}" for part in ("test", "val") for score in ("mse", *MORE)):
        mean, low, high = interval(
            [value for run in arm.runs if (value := run.quality.get(name)) is not None]
        )
        row |= {f"{name}_mean": mean, f"{name}_low": low, f"{name}_high": high}
    row["exact_table_bytes"] = found.get("exact_table_bytes")
    paid = (size["table_bytes"] or 0) + (size["auxiliary_bytes"] or 0)
    row["compression"] = (
        round(row["exact_table_bytes"] / paid, 3) if row["exact_table_bytes"] and paid else None
    )
    row |= {
        "latency_us": latency_at(arm.timings, "codes", BATCH),
        "latency_unstable": unstable_at(arm.timings, "codes", BATCH),
    }
    row["train_seconds"] = _mean([run.cost.get("train_seconds") for run in arm.runs])
    row |= _anchors(arm.runs)
    own = (
        row["test_mse_mean"]
        if row["test_mse_mean"] == row["test_mse_mean"]
        else row["val_mse_mean"]
    )
    row["beats_bias"] = (
        bool(own < row["anchor_bias"]) if row["anchor_bias"] is not None and own == own else None
    )
    return row


def _mean(values: Sequence[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return sum(known) / len(known) if known else None


def _anchors(runs: Sequence[Record]) -> dict[str, float | None]:
    """Mean over the arm's own runs, of the part that is quoted: what the arm has to beat."""
    row: dict[str, float | None] = {}
    for name in ANCHORS:
        given = [run.quality.get("anchors", {}).get(name, {}) for run in runs]
        for score, column in (
            ("mse", f"anchor_{name}"),
            *((score, f"anchor_{name}_{score}") for score in MORE),
        ):
            test = _mean([anchor.get(f"test_{score}") for anchor in given])
            row[column] = (
                test
                if test is not None
                else _mean([anchor.get(f"val_{score}") for anchor in given])
            )
    return row


def latency_rows(timings: Sequence[Record]) -> list[dict[str, Any]]:
    return [row for record in timings for row in record.cost["latency"]]


def latency_at(
    timings: Sequence[Record], source: str, batch: int, quantile: str = "p50_us"
) -> float | None:
    """Microseconds: the median over the arm's timings."""
    values = [
        row[quantile]
        for row in latency_rows(timings)
        if (row["source"], row["batch"]) == (source, batch)
    ]
    return float(median(values)) if values else None


def unstable_at(timings: Sequence[Record], source: str, batch: int) -> bool | None:
    """Whether the clock called any of these measurements unstable; None: there are none."""
    rows = [
        row for row in latency_rows(timings) if (row["source"], row["batch"]) == (source, batch)
    ]
    return any(row.get("unstable") for row in rows) if rows else None

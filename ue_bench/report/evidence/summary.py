"""The tidy summary: one row an arm, with means over its seeds and their 95 % intervals."""

import math
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from statistics import median
from typing import Any

import pandas as pd

from ue_bench.config.lookups import lookups_text
from ue_bench.record import Record
from ue_bench.report.evidence.arms import Arm
from ue_bench.report.evidence.comparison import USUAL_TASK, Comparison
from ue_bench.report.evidence.frames import records
from ue_bench.report.evidence.run_scores import Part, Scores, rounded, scores_of
from ue_bench.report.evidence.statistics import estimate
from ue_bench.report.format import missing

SCOPE = list(Comparison._fields)
BATCH = 256  # rows of the one lookup whose latency is in tables
VALUES = "values"  # the source of the latency to quote: raw values, hashed or looked up in a call
CODES = "codes"
TOGETHER = 2  # callers at once
ENOUGH_CALLS = 100  # for a 99th percentile
ANCHORS = ("mean", "item_mean", "bias", "mf", "linear", "boosting", "best")
PARTS: tuple[Part, ...] = ("test", "val")
MORE = ("auc", "log_loss")  # scores of the binary task beside the MSE of its probabilities
# A split says little about embeddings where more than this share of its scored rows have users
# that training never saw.
MOSTLY_UNSEEN = 0.5
USUAL_NUMBERS = 16  # of a feature, in the table that sizes are parts of where widths differ
_BYTES = (
    "total_bytes",
    "table_bytes",
    "auxiliary_bytes",
    "vocabulary_bytes",
    "vocabulary_floor_bytes",
    "head_bytes",
    "total_floor_bytes",
    "slot_cache_bytes",
)
# What a total is with: dictionaries, or structures that store no keys.
TOTALS = {"total_bytes": "dictionary", "total_floor_bytes": "key-free"}
_TRAINING_BYTES = ("training_table_bytes", "optimizer_bytes", "peak_training_bytes")


def _scores_of(part: str) -> list[str]:
    return [f"{part}_{score}_{end}" for score in MORE for end in ("mean", "low", "high")]


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
    "setting",
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
    "latency_p99_us",
    "latency_together_us",
    "latency_codes_us",
    "latency_unstable",
    "train_seconds",
    *(f"anchor_{name}" for name in ANCHORS),
    "beats_bias",
    "is_anchor",
    "method",
    "bits",
    "form_bits",
    "searched",
    "task",
    *_scores_of("test"),
    *_scores_of("val"),
    *(f"anchor_{name}_{score}" for name in ANCHORS for score in MORE),
    *(f"{part}_interval_by" for part in PARTS),
)
_TEXTS = (
    *SCOPE,
    "strategy",
    "regions",
    "region_rule",
    "lookups",
    "bits",
    "form_bits",
    "run_ids",
    "label",
    "group",
    "method",
    *(f"{part}_interval_by" for part in PARTS),
)
_WHOLE = ("budget", *_BYTES, *_TRAINING_BYTES, "exact_table_bytes", "n", "n_most")
_FLAGS = ("beats_bias", "latency_unstable")  # true, false or not known


def summarise(arms: Iterable[Arm]) -> pd.DataFrame:
    """Return one row an arm, sorted.

    The MSE of anchors is that of the test part, or of validation where the split has no test part.
    An anchor that some run of a comparison lacks, as old records do, is left out of all its rows.
    The exact table that sizes are parts of is one in a comparison: that of 16 numbers a feature
    where the arms' own ones differ.
    """
    frame = pd.DataFrame(_of_one_exact_table(arms), columns=list(COLUMNS))
    frame = _of_all_runs(frame)
    types: dict[str, Any] = {"is_anchor": bool, "searched": bool}
    for name in COLUMNS:
        if name in _WHOLE:
            types[name] = "Int64"
        elif name in _FLAGS:
            types[name] = object
        elif name not in (*_TEXTS, *types, "dim"):
            types[name] = float
    frame = _beside_the_tables(frame.astype(types))
    order = [*SCOPE, "strategy", "label", "budget"]
    return frame.sort_values(order, kind="stable", ignore_index=True)


def _of_one_exact_table(arms: Iterable[Arm]) -> list[dict[str, Any]]:
    """Return the rows of the arms, those of one comparison with one exact table."""
    by_comparison: dict[Comparison, list[Arm]] = defaultdict(list)
    for arm in arms:
        by_comparison[arm.comparison].append(arm)
    found = []
    for compared in by_comparison.values():
        own = {arm.sample.found.get("exact_table_bytes") for arm in compared if not arm.is_anchor}
        for arm in compared:
            values = arm.sample.found.get("cardinalities")
            exact = None
            if len(own) > 1 and values:
                exact = 4 * USUAL_NUMBERS * sum(values.values())
            found.append(_row(arm, exact))
    return found


def score(summary: pd.DataFrame) -> pd.DataFrame:
    """Return the measured arms with what belongs to the part that is quoted.

    That is the test part where the split has one, else validation. The new columns are `part`,
    `mse`, `low` and `high` of its interval, and `interval_by`, how that was made.
    """
    frame = summary[summary["n"] > 0].copy()
    tested = frame["test_mse_mean"].notna()
    frame["part"] = tested.map({True: "test", False: "validation"})
    for name, column in (("mse", "mse_mean"), ("low", "mse_low"), ("high", "mse_high")):
        frame[name] = frame[f"test_{column}"].where(tested, frame[f"val_{column}"])
    frame["interval_by"] = frame["test_interval_by"].where(tested, frame["val_interval_by"])
    return frame


def key(row: Mapping[Any, Any]) -> tuple[Any, ...]:
    """Return the comparison, label and budget of a row: `Arm.key` of its arm."""
    budget = row["budget"]
    budget = None if missing(budget) else int(budget)
    return (*Comparison.of_row(row), row["label"], budget)


def by_key(arms: Iterable[Arm]) -> dict[tuple[Any, ...], Arm]:
    """Return the arms by the `key` of their rows."""
    return {arm.key: arm for arm in arms}


def row_scores(
    arms: Mapping[tuple[Any, ...], Arm], row: Mapping[Any, Any], measure: str = "mse"
) -> Scores:
    """Return the scores of a row of `score` by seed, of the part that is quoted. arms: `by_key`."""
    return by_seed(arms[key(row)], row["part"], measure)


def by_seed(arm: Arm, part: str, measure: str = "mse") -> Scores:
    """Return the MSE, or another score, of each run by its seeds, for intervals and tests.

    part: `test`, or anything else for validation. A run without the score is left out.
    """
    scored: Part = "test" if part == "test" else "val"
    if (scored, measure) not in arm.scores:
        luck = arm.search_variance(f"val_{measure}")
        arm.scores[scored, measure] = scores_of(arm.runs, scored, measure, search_variance=luck)
    return arm.scores[scored, measure]


def panel(frame: pd.DataFrame) -> pd.Series:
    """Return the title of the comparison of each row: the title of the panel that shows it."""
    titles = [Comparison(**row).title for row in records(frame[SCOPE])]
    return pd.Series(titles, frame.index, dtype=str)


def part_mse(run: Record, part: str) -> float | None:
    """Return the MSE of a run on `test`, `val` or `train`, None where it has none."""
    return run.quality.get(f"{part}_mse")


def is_binary(part: pd.DataFrame) -> bool:
    """Return whether the arms of one comparison predict labels."""
    return part["task"].iloc[0] != USUAL_TASK


def _row(arm: Arm, exact_table_bytes: int | None) -> dict[str, Any]:
    """Return the row of an arm. exact_table_bytes: its own if None."""
    config = arm.config
    found = arm.sample.found
    row: dict[str, Any] = arm.comparison._asdict()
    for name in ("strategy", "regions", "region_rule", "budget"):
        row[name] = config.get(name)
    row["lookups"] = lookups_text(config["lookups"])
    row["dim"] = found.get("dim", config.get("dim"))
    row["bits"] = config["bits"]
    row["searched"] = arm.found_by is not None
    row["form_bits"] = "" if arm.tunes_bits else config["bits"]  # that no search chose
    # Strategies that are forms of one method may name it.
    row["method"] = found.get("method") or config["strategy"]
    row["n"] = len(arm.runs)
    row["n_most"] = arm.n_most
    row["label"] = arm.label
    row["group"] = arm.group
    row["run_ids"] = " ".join(run.run_id for run in arm.runs)
    row.update(_sizes(arm, exact_table_bytes))
    row.update(_scores(arm))
    row["latency_us"] = latency_at(arm.timings, VALUES, BATCH)
    row["latency_p99_us"] = p99_at(arm.timings, BATCH)
    row["latency_together_us"] = latency_at(arm.timings, VALUES, BATCH, callers=TOGETHER)
    row["latency_codes_us"] = latency_at(arm.timings, CODES, BATCH)
    row["latency_unstable"] = unstable_at(arm.timings, VALUES, BATCH)
    row["is_anchor"] = arm.is_anchor
    row["train_seconds"] = _mean("train_seconds", [run.cost for run in arm.runs])
    row.update(_anchors(arm.runs))
    row["beats_bias"] = None
    if not _is_bias_model(arm):
        row["beats_bias"] = _beats_bias(row)
    return row


def _is_bias_model(arm: Arm) -> bool:
    """Return whether the arm is the bias model itself: to beat it is then no question."""
    return arm.is_anchor and arm.sample.found.get("rank") == 0


def _sizes(arm: Arm, exact: int | None) -> dict[str, Any]:
    """Return the bytes of an arm, means over its runs, and how far its table is compressed."""
    costs = []
    for run in arm.runs or arm.timings:
        costs.append(run.cost | {"total_floor_bytes": run.total_floor_bytes})
    sizes: dict[str, Any] = {}
    for name in (*_BYTES, *_TRAINING_BYTES):
        mean = _mean(name, costs)
        sizes[name] = None if mean is None else round(mean)
    if exact is None:
        exact = arm.sample.found.get("exact_table_bytes")
    sizes["exact_table_bytes"] = exact
    sizes["compression"] = None
    table = _mean("table_bytes", costs)
    auxiliary = _mean("auxiliary_bytes", costs)
    if exact and table is not None and auxiliary is not None:
        paid = table + auxiliary
        if paid > 0:
            sizes["compression"] = round(exact / paid, 3)
    return sizes


def _scores(arm: Arm) -> dict[str, Any]:
    """Return the mean of each score over the runs that have it, with its interval."""
    scores: dict[str, Any] = {}
    for part in PARTS:
        for measure in ("mse", *MORE):
            name = f"{part}_{measure}"
            found = estimate(by_seed(arm, part, measure))
            scores[f"{name}_mean"] = rounded(found.mean)
            scores[f"{name}_low"] = found.low
            scores[f"{name}_high"] = found.high
            if measure == "mse":
                scores[f"{part}_interval_by"] = found.interval_by
    return scores


def _beats_bias(row: Mapping[str, Any]) -> bool | None:
    """Return whether the arm is better than the bias model; None where one of them has no MSE."""
    bias = row["anchor_bias"]
    mse = row["test_mse_mean"]
    if math.isnan(mse):
        mse = row["val_mse_mean"]
    if bias is None or math.isnan(mse):
        return None
    return bool(mse < bias)


def _present(name: str, rows: Iterable[Mapping[str, Any]]) -> list[float]:
    """Return the values of a name in the mappings that have one."""
    values = []
    for row in rows:
        value = row.get(name)
        if value is not None:
            values.append(value)
    return values


def _mean(name: str, rows: Iterable[Mapping[str, Any]]) -> float | None:
    """Return the mean of a name over the mappings that have a value, None where none has."""
    values = _present(name, rows)
    if not values:
        return None
    return sum(values) / len(values)


def _of_all_runs(frame: pd.DataFrame) -> pd.DataFrame:
    """Return the rows without the anchors that an arm with runs lacks in the same comparison."""
    if frame.empty:
        return frame
    frame = frame.copy()
    scope = [frame[name] for name in SCOPE]
    for name in ANCHORS:
        is_missing = frame[f"anchor_{name}"].isna() & (frame["n"] > 0)
        is_incomplete = is_missing.groupby(scope, dropna=False).transform("any")
        columns = [f"anchor_{name}", *(f"anchor_{name}_{measure}" for measure in MORE)]
        frame.loc[is_incomplete, columns] = None
    return frame


def _beside_the_tables(frame: pd.DataFrame) -> pd.DataFrame:
    """Return the rows with the exact table of a comparison as that of its anchors too.

    An anchor has no dim that says how large the exact table would be.
    """
    exact = frame["exact_table_bytes"].mask(frame["is_anchor"])
    of_tables = exact.groupby([frame[name] for name in SCOPE], dropna=False).transform("max")
    is_beside = frame["is_anchor"] & of_tables.notna()
    frame.loc[is_beside, "exact_table_bytes"] = of_tables
    paid = frame["table_bytes"] + frame["auxiliary_bytes"]
    ratio = (frame["exact_table_bytes"] / paid).astype(float)
    frame.loc[is_beside, "compression"] = ratio.round(3)
    return frame


def _anchors(runs: Sequence[Record]) -> dict[str, float | None]:
    """Return what the arm has to beat: means over its own runs, of the part that is quoted.

    An anchor that one of the runs lacks has no mean.
    """
    row: dict[str, float | None] = {}
    for name in ANCHORS:
        anchors = [run.quality.get("anchors", {}).get(name, {}) for run in runs]
        if not all(anchors):
            anchors = []
        row[f"anchor_{name}"] = _quoted(anchors, "mse")
        for measure in MORE:
            row[f"anchor_{name}_{measure}"] = _quoted(anchors, measure)
    return row


def _quoted(anchors: Sequence[Mapping[str, Any]], measure: str) -> float | None:
    mean = _mean(f"test_{measure}", anchors)
    if mean is None:
        mean = _mean(f"val_{measure}", anchors)
    return None if mean is None else rounded(mean)


def latency_rows(timings: Sequence[Record]) -> list[dict[str, Any]]:
    """Return the measurements of latency in these records, one a source and batch size."""
    measured = []
    for record in timings:
        measured += record.cost["latency"]
    return measured


def latency_of(
    timings: Sequence[Record], source: str, batch: int, callers: int = 1
) -> list[dict[str, Any]]:
    """Return the measurements of one source, batch size and number of callers at once.

    Records of earlier versions have one caller and do not say so.
    """
    measured = []
    for row in latency_rows(timings):
        asked = row["source"], row["batch"], row.get("callers", 1)
        if asked == (source, batch, callers):
            measured.append(row)
    return measured


def latency_at(
    timings: Sequence[Record], source: str, batch: int, callers: int = 1
) -> float | None:
    """Return the median of the median calls, in microseconds; None where there are none."""
    values = [row["p50_us"] for row in latency_of(timings, source, batch, callers)]
    if not values:
        return None
    return float(median(values))


def p99_at(timings: Sequence[Record], batch: int) -> float | None:
    """Return the 99th percentile of calls from raw values, in microseconds, median over timings.

    None where no timing has calls enough to have one.
    """
    values = []
    for row in latency_of(timings, VALUES, batch):
        if row["n"] >= ENOUGH_CALLS:
            values.append(row["p99_us"])
    if not values:
        return None
    return float(median(values))


def unstable_at(timings: Sequence[Record], source: str, batch: int) -> bool | None:
    """Return whether the clock called a measurement unstable; None where there are none."""
    measured = latency_of(timings, source, batch)
    if not measured:
        return None
    return any(row.get("unstable") for row in measured)

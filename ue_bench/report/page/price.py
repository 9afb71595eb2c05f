"""The price of an answer in one sentence: its bytes and latency beside those of other tables, and
beside the anchors."""

from collections.abc import Iterator
from typing import Any

import pandas as pd

from ue_bench.report.evidence.frames import groups, records
from ue_bench.report.evidence.summary import BATCH, SCOPE
from ue_bench.report.format import bytes_text, interval_text, micros_text, missing, range_text

_LATENCIES = ["latency_us", "latency_p99_us", "latency_codes_us"]


def contestants(scored: pd.DataFrame, verdicts: pd.DataFrame) -> pd.DataFrame:
    """The arms that the verdicts compare, and those without a budget."""
    keys = [*SCOPE, "label", "budget"]
    compared = verdicts.reindex(columns=keys)
    if len(verdicts):
        compared = compared.astype({"budget": "Int64"})
    limited = scored.merge(compared, on=keys)
    unlimited = scored[scored["budget"].isna()]
    return pd.concat([limited, unlimited], ignore_index=True)


def price(arms: pd.DataFrame, leader: str | None = None, column: str = "group") -> list[str]:
    """One sentence about the comparison with the largest exact table, or none if nothing is known.

    leader: the value of `column` that the answer names; None where nothing is compared.
    """
    anchors = arms[arms["is_anchor"]]
    arms = arms[~arms["is_anchor"]]
    if arms.empty:
        return []
    if leader is None:
        is_leader = arms["budget"].isna()
    else:
        is_leader = arms[column] == leader
    parts = [part for _, part in groups(arms, SCOPE)]
    part = max(parts, key=lambda part: _informative(part, is_leader[part.index]))
    has_budget = part["budget"].notna()
    clauses: list[str] = []
    if leader is None:
        clauses += _size(part[~has_budget], part.iloc[:0])
    else:
        is_leading = has_budget & (part[column] == leader)
        clauses += _size(part[~has_budget], part[is_leading], leader)
        beside = anchors.merge(part[SCOPE].drop_duplicates(), on=SCOPE)
        clauses += _anchor(beside)
        clauses += _latency(part, leader, column)
    if not clauses:
        return []
    where = ""
    if arms["features"].nunique() > 1:
        where = f" ({part['features'].iloc[0]} features)"
    return [f"The price{where}: {'; '.join(clauses)}."]


def _informative(part: pd.DataFrame, is_leader: pd.Series) -> tuple[bool, bool, float]:
    """How well a comparison shows the price, as a key to sort by.

    Best is one that includes the leader, then a table without a budget, then a large exact table.
    """
    has_leader = bool(is_leader.any())
    has_unlimited = bool(part["budget"].isna().any())
    return has_leader, has_unlimited, float(part["exact_table_bytes"].max())


def _size(
    unlimited: pd.DataFrame, leading: pd.DataFrame, leader: str | None = None
) -> Iterator[str]:
    """The table without a byte limit that is best on validation, and the leader's largest one."""
    if len(unlimited):
        best = records(unlimited.sort_values(["val_mse_mean", "label"], kind="stable"))[0]
        text = f"without a byte limit, {best['label']} reaches {_mse_and_bytes(best)}"
        text += " with its vocabulary"
        if len(leading):
            largest = records(leading.sort_values("budget"))[-1]
            text += f", and {largest['label']} {_mse_and_bytes(largest)}"
        yield text
        return
    sizes = sorted(leading["total_bytes"].dropna())
    if sizes:
        yield f"{leader} takes {range_text(sizes, bytes_text)} in total"


def _anchor(anchors: pd.DataFrame) -> Iterator[str]:
    """The anchor that is best on validation: what its bytes reach without a table."""
    if len(anchors):
        best = records(anchors.sort_values(["val_mse_mean", "label"], kind="stable"))[0]
        yield f"without any table, {best['label']} reaches {_mse_and_bytes(best)}"


def _mse_and_bytes(row: dict[Any, Any]) -> str:
    """0.8500 [0.8400, 0.8600] in 266 kB (229 kB without stored keys)."""
    mse = interval_text(row["mse"], row["low"], row["high"])
    text = f"{mse} in {bytes_text(row['total_bytes'])}"
    floor = row["total_floor_bytes"]
    if missing(floor) or floor == row["total_bytes"]:
        return text
    return f"{text} ({bytes_text(floor)} without stored keys)"


def _latency(part: pd.DataFrame, leader: str, column: str) -> Iterator[str]:
    """The leader's latency from raw values beside the fastest and the slowest of the others, and
    what it takes from codes, with the cache that this needs."""
    medians = part.groupby(column)[[*_LATENCIES, "slot_cache_bytes"]].median()
    unstable = set(part.loc[part["latency_unstable"].eq(True), column])
    latencies = medians["latency_us"].dropna().sort_values()
    if leader not in latencies.index or len(latencies) < 2:
        return
    others = latencies.drop(leader)
    own = records(medians.loc[[leader]])[0]
    mark = "~" if leader in unstable else ""  # as in the tables
    text = f"a lookup of {BATCH} rows from raw values takes {leader} {mark}{_raw(own)}"
    told = []
    for name, value in others.iloc[[0, -1] if len(others) > 1 else [0]].items():
        mark = "~" if name in unstable else ""
        told.append(f"{mark}{micros_text(value)} µs ({name})")
    text += f", the others {' to '.join(told)}"
    if not missing(own["latency_codes_us"]):
        cache = "a cache of slots"
        if not missing(own["slot_cache_bytes"]):
            cache += f" of {bytes_text(own['slot_cache_bytes'])}"
        text += f"; from codes {micros_text(own['latency_codes_us'])} µs, which read {cache}"
    yield text


def _raw(own: dict[Any, Any]) -> str:
    """292 µs (p99 940 µs)."""
    text = f"{micros_text(own['latency_us'])} µs"
    if missing(own["latency_p99_us"]):
        return text
    return f"{text} (p99 {micros_text(own['latency_p99_us'])} µs)"

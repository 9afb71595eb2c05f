"""The answer of a study in three sentences: who wins and by how much, where nobody can be told apart, and at what price."""

from collections import Counter
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import pandas as pd

from ue_bench.report.evidence.frames import groups, records
from ue_bench.report.evidence.summary import BATCH, SCOPE, score
from ue_bench.report.format import bytes_text, interval_text, micros_text, missing, ratio_text

NO_ANSWER = "No arm has a measured MSE, so there is no answer."


class Cell(NamedTuple):
    """One budget of one comparison: its contestants as rows of the verdicts, the best first, and where that is."""

    rows: list[dict[Any, Any]]
    where: str

    @property
    def alone(self) -> bool:
        """Whether the best is told apart from every other."""
        return all(row["told_apart"] for row in self.rows[1:])


def sentences(summary: pd.DataFrame, verdicts: pd.DataFrame) -> list[str]:
    """Plain text, of one study; fewer than three where there is no rival. Where one strategy stands alone, its variants are the
    rivals."""
    scored = score(summary)
    if scored.empty:
        return [NO_ANSWER]
    cells, of = _cells(verdicts, scored, "group"), "strategy"
    if not cells:
        cells, of = _cells(verdicts, scored, "label"), "variant"
    if not cells:
        return [
            "At no byte budget do two strategies meet, so none can be called better.",
            *_price(scored, None, ""),
        ]
    name = "group" if of == "strategy" else "label"
    lowest = Counter(cell.rows[0][name] for cell in cells)
    alone = Counter(cell.rows[0][name] for cell in cells if cell.alone)
    leader = min(lowest, key=lambda one: (-alone[one], -lowest[one], one))
    part = " or ".join(
        scored["part"].unique()
    )  # a split without a test part is judged on validation
    return [
        _winner(cells, name, leader, of, part),
        _tied(cells, name, of),
        *_price(_contestants(scored, verdicts), leader, name),
    ]


def _cells(verdicts: pd.DataFrame, scored: pd.DataFrame, name: str) -> list[Cell]:
    """The budgets at which two or more of `name` (group, label) meet."""
    units = {scope: part["exact_table_bytes"].max() for scope, part in groups(scored, SCOPE)}
    differ = [column for column in _SCOPE_TEXT if scored[column].nunique() > 1]
    found = []
    for (*scope, budget), part in groups(verdicts, [*SCOPE, "budget"]) if len(verdicts) else ():
        if part[name].nunique() > 1:
            where = [f"{ratio_text(budget, units[tuple(scope)])} of the exact table"]
            where += [
                _SCOPE_TEXT[column].format(part[column].iloc[0].replace("_", " "))
                for column in differ
            ]
            found.append(Cell(records(part), f"{bytes_text(budget)} ({', '.join(where)})"))
    return found


_SCOPE_TEXT = {
    "features": "{} features",
    "dataset": "{}",
    "split": "{} split",
    "head": "{} head",
    "task": "{}",
}


def _winner(cells: Sequence[Cell], name: str, leader: str, of: str, part: str) -> str:
    lowest = Counter(cell.rows[0][name] for cell in cells)
    alone = Counter(cell.rows[0][name] for cell in cells if cell.alone)
    one = len(cells) == 1
    budgets = (
        "the one budget where several meet"
        if one
        else f"the {len(cells)} budgets where several meet"
    )
    if not alone:
        gap = _range(sorted(cell.rows[-1]["difference"] for cell in cells), "{:.4f}".format)
        text = f"No {of} is told apart from every other at {'' if one else 'any of '}{budgets}: "
        text += f"the lowest mean {part} MSE is that of {leader}" + (
            "" if one else f" at {lowest[leader]} of them"
        )
        return f"{text}, and from the best to the worst it is {gap}."
    leads = sorted(
        (cell for cell in cells if cell.alone and cell.rows[0][name] == leader), key=_lead
    )
    each = "each" if len(leads) == lowest[leader] else f"{len(leads)}"
    ends = leads[-1:] if len(leads) == 1 else (leads[-1], leads[0])
    text = f"{leader} has the lowest mean {part} MSE at {'' if one else f'{lowest[leader]} of '}{budgets} and is told apart from "
    text += (
        f"every other {of} {'there' if one else f'at {each} of them'}: it leads the next best by "
    )
    text += " and by ".join(f"{_difference(cell.rows[1])} at {cell.where}" for cell in ends)
    rest = [f"{other} at {n}" for other, n in sorted(alone.items()) if other != leader]
    return text + (f"; told apart from every other elsewhere: {', '.join(rest)}." if rest else ".")


def _lead(cell: Cell) -> float:
    return cell.rows[1]["difference"]


def _tied(cells: Sequence[Cell], name: str, of: str) -> str:
    weak = [cell for cell in cells if not cell.alone]
    if not weak:
        return f"No other {of} ties with the best one at any of them."
    counts = sorted(sum(not row["told_apart"] for row in cell.rows[1:]) for cell in weak)
    known = [
        (cell, row)
        for cell in weak
        for row in cell.rows[1:]
        if not row["told_apart"] and row["n"] > 1
    ]
    many = (
        f"{counts[0]} other{'s' if counts[0] > 1 else ''}"
        if counts[0] == counts[-1]
        else f"{counts[0]} to {counts[-1]} others"
    )
    places = weak[0].where if len(weak) == 1 else f"{len(weak)} of the {len(cells)} budgets"
    text = f"At {places} the best one cannot be told apart from {many}"
    if not known:
        return f"{text}, for want of common seeds."
    cell, row = min(known, key=lambda pair: abs(pair[1]["difference"]))
    at = "" if len(weak) == 1 else f" at {cell.where}"
    return f"{text}; the nearest is {row[name]}, behind {cell.rows[0][name]} by {_difference(row)}{at} (n={row['n']})."


def _contestants(scored: pd.DataFrame, verdicts: pd.DataFrame) -> pd.DataFrame:
    """The arms that the verdicts compare, and those without a budget."""
    keys = [*SCOPE, "label", "budget"]
    compared = (
        verdicts[keys].astype({"budget": "Int64"})
        if len(verdicts)
        else verdicts.reindex(columns=keys)
    )
    return pd.concat(
        [scored.merge(compared, on=keys), scored[scored["budget"].isna()]], ignore_index=True
    )


def _price(arms: pd.DataFrame, leader: str | None, name: str) -> list[str]:
    """One sentence, of the comparison with the largest exact table: bytes beside the best table without a budget, and latency."""
    of_leader = arms[name] == leader if leader else arms["budget"].isna()
    part = max(
        (part for _, part in groups(arms, SCOPE)),
        key=lambda part: _worth(part, of_leader[part.index]),
    )
    free = part[part["budget"].isna()].sort_values(["mse", "label"], kind="stable")
    own = part[part["budget"].notna() & (part[name] == leader)] if leader else part.iloc[:0]
    told = []
    if len(free) and len(own):
        best, one = records(free)[0], records(own.sort_values("budget"))[-1]
        text = f"without a limit of bytes {best['label']} reaches {interval_text(best['mse'], best['low'], best['high'])} in "
        text += f"{bytes_text(best['total_bytes'])} with its vocabulary, against "
        text += f"{interval_text(one['mse'], one['low'], one['high'])} in {bytes_text(one['total_bytes'])} of {one['label']}"
        told.append(text)
    elif len(free):
        best = records(free)[0]
        text = f"without a limit of bytes {best['label']} has the lowest mean, "
        text += f"{interval_text(best['mse'], best['low'], best['high'])}"
        told.append(f"{text}, in {bytes_text(best['total_bytes'])} with its vocabulary")
    elif len(own):
        sizes = sorted(own["total_bytes"].dropna())
        told += [f"in all, {leader} holds {_range(sizes, bytes_text)}"] if sizes else []
    speeds = part.groupby(name or "group")["latency_us"].median().dropna().sort_values()
    if leader is not None and leader in speeds.index and len(speeds) > 1:
        rivals = speeds.drop(leader)
        text = f"a lookup of {BATCH} rows takes {leader} {micros_text(speeds[leader])} µs"
        slowest = (
            f" to {micros_text(rivals.iloc[-1])} µs ({rivals.index[-1]})" if len(rivals) > 1 else ""
        )
        told.append(
            f"{text}, the others {micros_text(rivals.iloc[0])} µs ({rivals.index[0]}){slowest}"
        )
    where = f" ({part['features'].iloc[0]} features)" if arms["features"].nunique() > 1 else ""
    return [f"The price{where}: {'; '.join(told)}."] if told else []


def _worth(part: pd.DataFrame, of_leader: pd.Series) -> tuple[bool, bool, float]:
    """How well a comparison shows the price: the leader is in it, a table without a budget too, and the exact table is large."""
    return (
        bool(of_leader.any()),
        bool(part["budget"].isna().any()),
        float(part["exact_table_bytes"].max()),
    )


def _difference(row: dict[Any, Any]) -> str:
    """0.0235 [0.0140, 0.0330]: the paired difference with its 95 % interval."""
    low, high = row["difference_low"], row["difference_high"]
    return f"{row['difference']:.4f}" + ("" if missing(low) else f" [{low:.4f}, {high:.4f}]")


def _range(values: Sequence[float], text: Callable[[float], str]) -> str:
    """From the first to the last of sorted values, or the one text that both have."""
    first, last = text(values[0]), text(values[-1])
    return first if first == last else f"{first} to {last}"

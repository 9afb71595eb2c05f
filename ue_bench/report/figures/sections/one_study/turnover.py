"""From which turnover of values on a hashed table overtakes exact rows, over planted streams.

Where values neither come nor go, a stream and a split of the same log are to rank alike.
"""

from collections.abc import Mapping
from typing import Any

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from ue_bench.config.click_worlds import turnover_of, without_turnover
from ue_bench.config.stream_split import STREAM
from ue_bench.report.evidence.across_worlds import size_of
from ue_bench.report.evidence.arms import Arm
from ue_bench.report.evidence.frames import groups, records, rows
from ue_bench.report.evidence.pairs import holm_corrected
from ue_bench.report.evidence.rank_agreement import FEWEST as FEWEST_RANKED
from ue_bench.report.evidence.rank_agreement import agreement, tau_text
from ue_bench.report.evidence.statistics import compare_two, family_text
from ue_bench.report.evidence.summary import by_key, key, row_scores, score
from ue_bench.report.figures import style
from ue_bench.report.figures.difference_line import difference_line
from ue_bench.report.figures.panels import panels
from ue_bench.report.figures.section import Section, StudyData
from ue_bench.report.format import bytes_text, delta_text, p_cell

FEWEST = 2  # turnovers
EMPTY = f"no planted logs of {FEWEST} turnovers have exact rows beside a table of as many bytes"
CAPTION = (
    "The error of each table less that of the best exact table of as many bytes on the same log, "
    "in any bits, chosen on validation, with its 95 % interval: one panel for the bits of a "
    "number. The bytes of an exact table that are equal leave out its vocabulary. Below 0 the "
    "table is better than exact rows. The turnover is the share of the values of large features "
    "that gives way to new ones each day. Each log is one draw, which the intervals do not cover."
)
# Views of the frame.
BESIDE = "beside"
RANKS = "ranks"
COLUMNS = [
    "view",
    "panel",
    "world",
    "size",
    "bits",
    "turnover",
    "label",
    "group",
    "against",
    "n",
    "difference",
    "low",
    "high",
    "p",
    "tests",
    "p_holm",
    "told_apart",
    "interval_by",
    "other",
    "arms",
    "tau",
    "tau_low",
    "tau_high",
    "told",
    "reversed",
]
LINE = ["world", "size", "bits", "label"]


def tidy(study: StudyData) -> pd.DataFrame:
    """Return rows of two views.

    `beside`: one for each log and arm of a stream that is no exact table, at the bytes of one.
    against: the best exact table, with all its bytes. `ranks`: how well the stream of a log and
    another split of it rank the same arms, with the entries of `rank_agreement.agreement`; told:
    the pairs that both tell apart.
    turnover: of the log. size: how many times smaller than the exact table of all values the
    tables are.
    """
    scored = score(study.all_summary)
    scored = scored[~scored["is_anchor"] & scored["budget"].notna()]
    scored = scored.assign(turnover=scored["dataset"].map(turnover_of))
    scored["world"] = [without_turnover(name) for name in scored["dataset"]]
    scored["size"] = [size_of(row) for row in rows(scored)]
    planted = scored[scored["turnover"].notna()]
    arms = by_key(study.every_arm)
    beside = _beside(planted[planted["split"] == STREAM], arms)
    if len({line["turnover"] for line in beside}) < FEWEST:
        return pd.DataFrame(columns=COLUMNS)
    ordered = pd.DataFrame(beside).sort_values([*LINE, "turnover"], kind="stable")
    tables = [holm_corrected(ordered).assign(view=BESIDE)]
    ranks = _ranks(planted, arms)
    if ranks:
        tables.append(pd.DataFrame(ranks).assign(view=RANKS))
    return pd.concat(tables).reindex(columns=COLUMNS).reset_index(drop=True)


def _beside(streams: pd.DataFrame, arms: Mapping[Any, Arm]) -> list[dict[str, Any]]:
    lines = []
    for _, alike in groups(streams, ["world", "turnover", "size"]):
        is_exact = alike["regions"] == "exact"
        best = alike[is_exact].sort_values(["val_mse_mean", "label"], kind="stable")
        for row in records(alike[~is_exact]) if len(best) else ():
            exact = records(best)[0]
            test = compare_two(row_scores(arms, exact), row_scores(arms, row))
            about = {name: row[name] for name in ("world", "size", "label", "turnover", "group")}
            # Some strategies have bits of their own.
            about["bits"] = arms[key(row)].sample.found.get("bits", row["bits"])
            about["panel"] = f"{row['world']}, 1/{int(row['size'])}, {about['bits']}"
            about["against"] = f"{exact['label']}, {bytes_text(exact['total_bytes'])} in all"
            lines.append(about | test._asdict())
    return lines


def _ranks(planted: pd.DataFrame, arms: Mapping[Any, Arm]) -> list[dict[str, Any]]:
    lines = []
    for _, of_log in groups(planted, ["world", "turnover", "size"]):
        by_split = {}
        for split, part in groups(of_log, "split"):
            by_split[split] = {row.label: row_scores(arms, row._asdict()) for row in rows(part)}
        streamed = by_split.pop(STREAM, {})
        first = next(rows(of_log))
        about = {name: getattr(first, name) for name in ("world", "size", "turnover")}
        for split, others in by_split.items():
            shared = [label for label in streamed if label in others]
            if len(shared) >= FEWEST_RANKED:
                own, theirs = [streamed[x] for x in shared], [others[x] for x in shared]
                found = agreement(own, theirs)
                found["told"] = found.pop("told_apart")  # pairs; of the other view, whether
                lines.append(about | {"other": split} | found)
    return lines


def table(frame: pd.DataFrame) -> list[str]:
    """Return a sentence for each verdict and each ranking, then one row for each arm and log."""
    views = dict(groups(frame, "view"))
    frame = views[BESIDE]
    lines = []
    for (world, size), of_world in groups(frame, LINE[:2]):
        told: dict[str, list[str]] = {}
        for label, line in groups(of_world, "label"):
            told.setdefault(_overtakes(line), []).append(f"{label} ({_at_each(line)})")
        for verdict, arms in sorted(told.items()):
            lines.append(f"- {world} at 1/{int(size)}, {verdict}: {', '.join(arms)}.")
    for row in rows(views[RANKS]) if RANKS in views else ():
        lines.append(
            f"- {row.world} at 1/{int(row.size)} and a turnover of {row.turnover:g}: the orders of "
            f"{int(row.arms)} tables on the stream and on the {row.other} split agree with "
            f"τ = {tau_text(row)}; both tell {int(row.told)} pairs apart, "
            f"{int(row.reversed)} of them in opposite order."
        )
    lines += ["", "| log | turnover | table | less the exact table | difference | Holm p |"]
    lines.append("|---|--:|---|---|---|--:|")
    for row in rows(frame.sort_values([*LINE[:2], "turnover", "label"], kind="stable")):
        log = f"{row.world}, 1/{int(row.size)}"
        cells = [log, f"{row.turnover:g}", row.label, row.against, _delta(row)]
        lines.append(f"| {' | '.join([*cells, p_cell(row.p_holm)])} |")
    tests = int(frame["tests"].max())
    return [*lines, "", family_text(tests, "all tables beside the exact ones, on all logs")]


def gist(frame: pd.DataFrame) -> str:
    """Return how many tables are better than exact rows where values change most."""
    beside = frame[frame["view"] == BESIDE]
    highest = beside["turnover"].max()
    last = beside[beside["turnover"] == highest]
    told = last[last["told_apart"].astype(bool)]
    better = int((told["difference"] < 0).sum())
    return (
        f"At a turnover of {highest:g}, {better} of {len(last)} tables are shown to be better than "
        f"exact rows of as many bytes, and {len(told) - better} to be worse."
    )


def _overtakes(line: pd.DataFrame) -> str:
    """Say from which turnover on a table is better than exact rows on every log."""
    first = None
    for row in reversed(list(rows(line))):
        if not (row.told_apart and row.difference < 0):
            break
        first = row.turnover
    if first is None:
        highest = line["turnover"].max()
        return f"not better than exact rows of as many bytes at a turnover of {highest:g}"
    if first == line["turnover"].min():
        return "at every turnover better than exact rows of as many bytes"
    return f"from a turnover of {first:g} on better than exact rows of as many bytes"


def _at_each(line: pd.DataFrame) -> str:
    """Say at which turnovers a table is better or worse, and where nothing can be told."""
    told = line["told_apart"].astype(bool)
    is_better = line["difference"] < 0
    kinds = {"better": told & is_better, "worse": told & ~is_better, "cannot tell": ~told}
    clauses = []
    for words, has in kinds.items():
        if has.all():
            return f"{words} at {'any' if words == 'cannot tell' else 'each'}"
        if has.any():
            at = ", ".join(f"{turnover:g}" for turnover in line.loc[has, "turnover"])
            clauses.append(f"{words} at {at}")
    return "; ".join(clauses)


def _delta(row: Any) -> str:
    return delta_text(row.difference, row.low, row.high)


def draw(frame: pd.DataFrame, study: StudyData) -> Figure:
    """Draw a panel for each bits and size, with a line for each arm over the turnover."""
    frame = frame[frame["view"] == BESIDE]
    turnovers = sorted(set(frame["turnover"]))

    def draw_one(axes: Axes, part: pd.DataFrame) -> None:
        axes.axhline(0, color=style.GREY, linewidth=0.8)
        lines = list(groups(part, "label"))
        for place, (label, line) in enumerate(lines):
            beside = 0.08 * (place - (len(lines) - 1) / 2)  # intervals do not cover each other
            places = [turnovers.index(turnover) + beside for turnover in line["turnover"]]
            difference_line(axes, line.assign(x=places), study.looks[label])
        axes.set_xticks(range(len(turnovers)), [f"{turnover:g}" for turnover in turnovers])
        axes.set_xlabel("turnover of values a day")
        axes.set_title(style.heading(part["panel"].iloc[0]), fontsize=9)
        axes.tick_params(labelsize=8)

    figure, _ = panels(frame, 3, draw_one, width=4.0, height=3.4, sharey=True)
    figure.axes[0].set_ylabel("error less that of exact rows", fontsize=8)
    labels = sorted(set(frame["label"]))
    style.legend(figure, [style.handle(study.looks[label], label) for label in labels])
    return figure


SECTION = Section(
    name="turnover",
    title="Turnover of values",
    tidy=tidy,
    empty=EMPTY,
    caption=CAPTION,
    draw=draw,
    table=table,
    gist=gist,
)

"""All figures of a report: each study's own, saved with the tidy data they show, or the reason why there is none."""

from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import NamedTuple

import pandas as pd
from matplotlib.figure import Figure

from ue_bench.errors import unknown
from ue_bench.record import Record, write_whole
from ue_bench.report.drawn import Drawn, Picture
from ue_bench.report.evidence import power
from ue_bench.report.evidence.arms import Arm, Arms
from ue_bench.report.evidence.comparison import USUAL_TASK, task_of
from ue_bench.report.evidence.evidence import Evidence
from ue_bench.report.evidence.frames import csv
from ue_bench.report.evidence.summary import score
from ue_bench.report.figures import anchor_lines as anchor
from ue_bench.report.figures import style
from ue_bench.report.figures.picture import save
from ue_bench.report.figures.sections.every_study import (
    latency,
    latency_mse,
    memory,
    pareto,
    table_size,
    training,
)
from ue_bench.report.figures.sections.one_study import (
    forms,
    heads,
    methods,
    paper,
    splits,
    variance,
    why,
)
from ue_bench.report.figures.sections.searches import (
    allocation,
    allocation_rule,
    hypervolume,
    importances,
    optimism,
    second_lookup,
    shared_out,
)
from ue_bench.report.format import escaped


class Study(NamedTuple):
    """What the figures of one study are made from."""

    arms: list[Arm]
    summary: pd.DataFrame
    confirmed: pd.DataFrame  # the summary of what confirms a search
    search: list[Record]
    every_arm: list[Arm]  # those that confirm a search too
    records: list[Record]  # all of the study, failed ones too
    anchors: pd.DataFrame
    looks: style.Looks
    all_summary: pd.DataFrame  # of every arm


class Plot(NamedTuple):
    """One kind of figure: its title and both halves. Without `draw`, it is a table alone."""

    module: ModuleType
    title: str
    tidy: Callable[[Study], pd.DataFrame]
    draw: Callable[[pd.DataFrame, Study], Figure] | None = None
    each: bool = False  # a figure of its own for every panel
    table: Callable[[pd.DataFrame], list[str]] | None = None  # Markdown below the figure
    of_labels: str = "MSE (Brier score)"  # what stands for the MSE where the task is binary


PLOTS = (
    Plot(
        table_size,
        "Table size",
        lambda s: table_size.tidy(s.summary),
        lambda f, s: table_size.draw(f, s.anchors, s.looks),
    ),
    Plot(
        pareto,
        "Total bytes",
        lambda s: pareto.tidy(s.summary),
        lambda f, s: pareto.draw(f, s.anchors, s.looks),
    ),
    Plot(
        methods,
        "Methods",
        lambda s: methods.tidy(s.summary),
        lambda f, s: methods.draw(f, s.anchors),
        each=True,
    ),
    Plot(
        forms,
        "Separate against multiplexed",
        lambda s: forms.tidy(s.arms, s.summary),
        lambda f, s: forms.draw(f),
        table=forms.table,
    ),
    Plot(
        latency,
        "Latency",
        lambda s: latency.tidy(s.arms, s.summary),
        lambda f, s: latency.draw(f, s.looks),
    ),
    Plot(
        latency_mse,
        "Latency against MSE",
        lambda s: latency_mse.tidy(s.arms, s.summary),
        lambda f, s: latency_mse.draw(f),
    ),
    Plot(memory, "Memory", lambda s: memory.tidy(s.summary), lambda f, s: memory.draw(f)),
    Plot(
        allocation,
        "Lookup allocation",
        lambda s: allocation.tidy(s.search, s.confirmed),
        lambda f, s: allocation.draw(f, s.looks),
        each=True,
    ),
    Plot(
        shared_out,
        "Lookups shared out",
        lambda s: shared_out.tidy(s.every_arm, s.search),
        lambda f, s: shared_out.draw(f),
        each=True,
        table=shared_out.table,
    ),
    Plot(
        second_lookup,
        "The second lookup",
        lambda s: second_lookup.tidy(s.every_arm, s.search),
        lambda f, s: second_lookup.draw(f),
        each=True,
        table=second_lookup.table,
    ),
    Plot(
        importances,
        "Importance of each feature's lookups",
        lambda s: importances.tidy(s.search),
        lambda f, s: importances.draw(f),
        each=True,
        table=importances.table,
    ),
    Plot(
        allocation_rule,
        "A rule for the lookups",
        lambda s: allocation_rule.tidy(s.search),
        lambda f, s: allocation_rule.draw(f),
        each=True,
        table=allocation_rule.table,
    ),
    Plot(
        hypervolume,
        "Table size, dim and lookups together",
        lambda s: hypervolume.tidy(s.search),
        lambda f, s: hypervolume.draw(f),
        each=True,
        table=hypervolume.table,
    ),
    Plot(
        training,
        "Training",
        lambda s: training.tidy(s.arms, s.summary),
        lambda f, s: training.draw(f, s.looks),
        of_labels="log loss",
    ),
    Plot(
        optimism,
        "Optimism of the searches",
        lambda s: optimism.tidy(s.every_arm, s.search),
        table=optimism.table,
    ),
    Plot(
        power, "Seeds needed", lambda s: power.tidy(s.every_arm, s.all_summary), table=power.table
    ),
    Plot(
        why,
        "Why it works",
        lambda s: why.tidy(s.arms, s.summary),
        lambda f, s: why.draw(f),
        table=why.table,
    ),
    Plot(
        heads,
        "Heads",
        lambda s: heads.tidy(s.arms, s.summary),
        lambda f, s: heads.draw(f, s.looks),
        table=heads.table,
    ),
    Plot(
        splits,
        "Splits",
        lambda s: splits.tidy(s.arms, s.summary),
        lambda f, s: splits.draw(f, s.anchors, s.looks),
        table=splits.table,
    ),
    Plot(
        paper,
        "The paper's own table",
        lambda s: paper.tidy(s.arms, s.summary),
        lambda f, s: paper.draw(f),
        table=paper.table,
    ),
    Plot(
        variance,
        "Variance by seed",
        lambda s: variance.tidy(s.records),
        lambda f, s: variance.draw(f),
        table=variance.table,
    ),
)


def draw_all(evidence: Evidence, out: Path) -> tuple[list[Drawn], list[Path]]:
    """Draw and save under `out`. One study keeps the plain names; of several, each figure's name starts with its study."""
    names = _names(evidence.arms)
    drawn: list[Drawn] = []
    paths: list[Path] = []
    with style.themed():
        for name in names:
            study = _study(evidence, name)
            for plot in PLOTS:
                _one(plot, study, name, name if len(names) > 1 else "", out, drawn, paths)
    return drawn, paths


def section(evidence: Evidence, study: str, name: str) -> list[str]:
    """Sentences and table (Markdown) of one section of one study; nothing where it has none. Raises BenchError for a name that
    no section with a table has."""
    with_table = {plot.module.NAME: plot for plot in PLOTS if plot.table}
    if name not in with_table:
        raise unknown("section", name, with_table)
    plot = with_table[name]
    if plot.table is None or study not in _names(evidence.arms):
        return []
    frame = plot.tidy(_study(evidence, study))
    return (
        [line for part in _panels(plot, frame) for line in ("", *plot.table(escaped(part)))]
        if len(frame)
        else []
    )


def _names(arms: Arms) -> list[str]:
    """The studies that have something to show."""
    return sorted(
        {arm.comparison.study for arm in arms.kept}
        | {record.study for record in (*arms.search, *arms.held)}
    )


def _study(evidence: Evidence, name: str) -> Study:
    arms, summary = evidence.arms, evidence.summary
    own = everything = summary[summary["study"] == name].reset_index(drop=True)
    confirmed = own["phase"] == "confirm"  # has a figure of its own beside a grid
    after = own[confirmed].reset_index(drop=True)
    own = own if confirmed.all() else own[~confirmed].reset_index(drop=True)
    search = [record for record in arms.search if record.study == name]
    every = [arm for arm in arms.kept if arm.comparison.study == name]
    looks = style.looks([(arm.label, arm.group) for arm in every], {arm.group for arm in arms.kept})
    kept = [arm for arm in every if arm.comparison.phase in set(own["phase"])]
    records = [record for record in evidence.records if record.study == name]
    return Study(
        kept, own, after, search, every, records, anchor.tidy(score(own)), looks, everything
    )


def _panels(plot: Plot, frame: pd.DataFrame) -> list[pd.DataFrame]:
    return [part for _, part in frame.groupby("panel")] if plot.each else [frame]


def _one(
    plot: Plot,
    study: Study,
    own: str,
    prefix: str,
    out: Path,
    drawn: list[Drawn],
    paths: list[Path],
) -> None:
    module = plot.module
    name = f"{prefix}-{module.NAME}" if prefix else module.NAME
    frame = plot.tidy(study)
    if frame.empty:
        drawn.append(Drawn(own, module.NAME, plot.title, reason=module.EMPTY))
        return
    write_whole(out / "tables" / f"{name}.csv", csv(frame))
    pictures, measure = [], _measure(plot, study)
    for place, part in enumerate(_panels(plot, frame)):
        file = name if place == 0 else f"{name}-{place + 1}"
        if plot.draw:
            figure = plot.draw(part, study)
            style.rename(figure, "MSE", measure)
            paths += save(figure, out / "figures", file)
        lines = plot.table(escaped(part)) if plot.table else []
        pictures.append(Picture(f"figures/{file}" if plot.draw else "", lines))
    caption = module.CAPTION.replace("MSE", measure, 1)
    drawn.append(Drawn(own, module.NAME, plot.title, caption, pictures, f"tables/{name}.csv"))


def _measure(plot: Plot, study: Study) -> str:
    """What the figures of a study call its MSE."""
    binary = {task_of(record.config) != USUAL_TASK for record in study.records}
    return (
        "MSE"
        if True not in binary
        else plot.of_labels
        if False not in binary
        else f"MSE, of labels {plot.of_labels}"
    )

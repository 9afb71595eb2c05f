"""Draws and saves every section of a report, or says why a section has nothing to show."""

from collections.abc import Iterable
from pathlib import Path

import pandas as pd

from ue_bench.errors import unknown
from ue_bench.record import Record
from ue_bench.report.drawn import Drawn, Picture
from ue_bench.report.evidence import power
from ue_bench.report.evidence.arms import Arm
from ue_bench.report.evidence.comparison import USUAL_TASK, task_of
from ue_bench.report.evidence.evidence import Evidence
from ue_bench.report.evidence.frames import csv
from ue_bench.report.evidence.summary import score
from ue_bench.report.evidence.trials import trials_of
from ue_bench.report.figures import anchor_lines, style
from ue_bench.report.figures.picture import save
from ue_bench.report.figures.section import Section, StudyData
from ue_bench.report.figures.sections.contents import SECTIONS
from ue_bench.report.figures.sections.every_study.seeds_needed import SECTION as SEEDS_NEEDED
from ue_bench.report.format import escaped
from ue_bench.whole_file import write_whole


def draw_all(evidence: Evidence, out: Path) -> tuple[list[Drawn], list[Path]]:
    """Draw all sections of all studies and save them under `out`.

    The files of a report of one study have the names of the sections. In a report of several
    studies, the name of the study comes first.
    """
    names = _study_names(evidence)
    all_drawn: list[Drawn] = []
    all_paths: list[Path] = []
    with style.themed():
        for name in names:
            prefix = "" if len(names) == 1 else f"{name}-"
            for section in SECTIONS:
                drawn, paths = _draw_section(section, evidence, name, out, prefix + section.name)
                all_drawn.append(drawn)
                all_paths += paths
    return all_drawn, all_paths


def section_lines(evidence: Evidence, study: str, name: str) -> list[str]:
    """Sentences and table (Markdown) of one section of one study; empty where it has none.

    Raises BenchError where no section with a table has this name.
    """
    with_table = {section.name: section for section in SECTIONS if section.table}
    if name not in with_table:
        raise unknown("section", name, with_table)
    section = with_table[name]
    if study not in _study_names(evidence):
        return []
    frame = section_frame(section, evidence, study)
    if frame.empty:
        return []
    lines = []
    for part in section.parts(frame):
        lines += ["", *_table(section, part)]
    return lines


def section_gist(evidence: Evidence, study: str, name: str) -> str:
    """Return what one section of one study says in one sentence, or nothing where it is empty.

    Raises BenchError where no section that has such a sentence has this name.
    """
    with_gist = {section.name: section for section in SECTIONS if section.gist}
    if name not in with_gist:
        raise unknown("section", name, with_gist)
    section = with_gist[name]
    if study not in _study_names(evidence) or section.gist is None:
        return ""
    frame = section_frame(section, evidence, study)
    return "" if frame.empty else section.gist(escaped(frame))


def section_frame(section: Section, evidence: Evidence, study: str) -> pd.DataFrame:
    """Return the tidy frame of a section of one study."""

    def tidy() -> pd.DataFrame:
        return section.tidy(study_data(evidence, study))

    return evidence.once(("section", study, section.name), tidy)


def seeds_needed(evidence: Evidence) -> list[str]:
    """Return one line a comparison about the seeds that it needs, as `power.of_arms` does."""
    frames = []
    for study in _study_names(evidence):
        frame = section_frame(SEEDS_NEEDED, evidence, study)
        if not frame.empty:
            frames.append(frame)
    if not frames:
        return power.lines_of(pd.DataFrame(columns=power.COLUMNS))
    return power.lines_of(pd.concat(frames, ignore_index=True))


def study_data(evidence: Evidence, name: str) -> StudyData:
    """What the sections of the study `name` are made from."""
    return evidence.once(("study", name), lambda: _study_data(evidence, name))


def _study_data(evidence: Evidence, name: str) -> StudyData:
    arms = evidence.arms
    of_study = evidence.summary["study"] == name
    all_summary = evidence.summary[of_study].reset_index(drop=True)
    on_fresh_seeds = all_summary["phase"] == "confirm"
    confirmed = all_summary[on_fresh_seeds].reset_index(drop=True)
    summary = all_summary
    if not on_fresh_seeds.all():  # beside a grid, what confirms a search has a figure of its own
        summary = all_summary[~on_fresh_seeds]
    usual = summary["setting"] == ""
    if usual.any():  # other recipes are shown by the section that compares recipes
        summary = summary[usual]
    summary = summary.reset_index(drop=True)
    shown = set(zip(summary["phase"], summary["setting"], strict=True))
    every_arm = [arm for arm in arms.kept if arm.comparison.study == name]
    labels = [(arm.label, arm.group) for arm in every_arm if not arm.is_anchor]
    every_group = {arm.group for arm in arms.kept if not arm.is_anchor}
    anchors = {arm.label for arm in every_arm if arm.is_anchor}
    return StudyData(
        name=name,
        arms=[arm for arm in every_arm if _kind(arm) in shown],
        summary=summary,
        confirmed=confirmed,
        trials=trials_of(_of_study(name, arms.search)),
        every_arm=every_arm,
        all_summary=all_summary,
        verdicts=evidence.verdicts[evidence.verdicts["study"] == name],
        records=_of_study(name, evidence.records),
        drawn=_of_study(name, evidence.drawn),
        anchors=anchor_lines.tidy(score(summary)),
        looks=style.looks(labels, every_group, anchors),
    )


def _kind(arm: Arm) -> tuple[str, str]:
    return arm.comparison.phase, arm.comparison.setting


def _of_study(name: str, records: Iterable[Record]) -> list[Record]:
    return [record for record in records if record.study == name]


def _study_names(evidence: Evidence) -> list[str]:
    """The studies that have something to show, sorted."""
    arms = evidence.arms
    names = {arm.comparison.study for arm in arms.kept}
    for record in (*arms.search, *arms.held, *evidence.drawn):
        names.add(record.study)
    return sorted(names)


def _draw_section(
    section: Section, evidence: Evidence, study_name: str, out: Path, name: str
) -> tuple[Drawn, list[Path]]:
    """Save the tidy frame and the figures of a section under the name `name`."""
    study = study_data(evidence, study_name)
    frame = section_frame(section, evidence, study_name)
    if frame.empty:
        return Drawn(study.name, section.name, section.title, reason=section.empty), []
    write_whole(out / "tables" / f"{name}.csv", csv(frame))
    measure = _measure(section, study)
    pictures: list[Picture] = []
    paths: list[Path] = []
    for number, part in enumerate(section.parts(frame), start=1):
        file = name if number == 1 else f"{name}-{number}"
        path = ""
        if section.draw is not None and len(part) >= section.fewest:
            figure = section.draw(part, study)
            style.rename(figure, "MSE", measure)
            paths += save(figure, out / "figures", file)
            path = f"figures/{file}"
        pictures.append(Picture(path, _table(section, part)))
    drawn = Drawn(
        study=study.name,
        name=section.name,
        title=section.title,
        gist=section.gist(frame) if section.gist is not None else "",
        caption=section.caption.replace("MSE", measure, 1),
        pictures=pictures,
        table=f"tables/{name}.csv",
    )
    return drawn, paths


def _table(section: Section, part: pd.DataFrame) -> list[str]:
    if section.table is None:
        return []
    return section.table(escaped(part))


def _measure(section: Section, study: StudyData) -> str:
    """The name of the MSE in the figures of a study."""
    binary = {task_of(record.config) != USUAL_TASK for record in study.records}
    if True not in binary:
        return "MSE"
    if False not in binary:
        return section.of_labels
    return f"MSE or {section.of_labels}"

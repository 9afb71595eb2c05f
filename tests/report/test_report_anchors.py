"""The linear model and gradient boosting in the report: where every run of a comparison has them."""

from dataclasses import replace

import fake_records as fake
import pytest
from study_data import study_of

from ue_bench.report.evidence.arms import collect
from ue_bench.report.evidence.summary import score, summarise
from ue_bench.report.evidence.verdict import verdicts
from ue_bench.report.figures import anchor_lines
from ue_bench.report.figures.sections.one_study import splits
from ue_bench.report.page import limits
from ue_bench.report.page.conclusion import sentences
from ue_bench.report.page.rank_tables import rank_tables
from ue_bench.report.page.tables import tables
from ue_bench.report.page.terminal import _notes

TITLES = ("linear (one-hot)", "gradient boosting")


def with_anchors(records, linear=0.87, boosting=0.88):
    """The records of this version: old ones have four anchors."""
    for record in records:
        anchors = dict(record.quality["anchors"])
        for name, mse in (("linear", linear), ("boosting", boosting)):
            anchors[name] = {"train_mse": mse, "val_mse": mse, "test_mse": mse, "rows": 80_000}
        yield replace(record, quality=record.quality | {"anchors": anchors})


def arms(features="base"):
    better = fake.arm([0.85, 0.851, 0.852], "unified", 28_032, features=features)
    worse = fake.arm([0.875, 0.876, 0.877], "per_feature", 28_032, features=features)
    return better, worse


def page_of(records):
    """Everything that the page and the terminal say of the arms."""
    kept = collect(records).kept
    summary = summarise(kept)
    lines = tables(summary) + rank_tables(summary)
    lines += sentences(summary, verdicts(kept, summary))
    lines += limits.lines(summary, verdicts(kept, summary), records)
    lines += [_notes(part) for _, part in summary.groupby("features")]
    lines += anchor_lines.tidy(score(summary))["name"].tolist()
    return lines


def test_every_page_shows_them_beside_the_others():
    better, worse = arms()
    lines = page_of([*with_anchors(better), *with_anchors(worse)])
    assert "| *linear (one-hot)* | *0.8700* | | | | | | | |" in lines
    assert "| *gradient boosting* | *0.8800* | | | | | | | |" in lines
    assert (
        "- the linear model of all features (one-hot) has 0.8700: 1 of 2 arms are not better."
        in lines
    )
    assert "- gradient boosting has 0.8800: 0 of 2 arms are not better." in lines
    said = "\n".join(lines)
    assert "1 of 2 arms do not beat the linear model of all features (one-hot)" in said
    assert "arms do not beat gradient boosting" not in said
    assert "linear (one-hot) 0.8700, gradient boosting 0.8800" in said
    assert set(TITLES) <= set(lines)  # lines of the figures


def test_what_one_arm_lacks_is_shown_for_none():
    better, worse = arms()
    said = "\n".join(page_of([*with_anchors(better), *worse]))
    assert "matrix factorisation" in said
    for title in (*TITLES, "the linear model"):
        assert title not in said


def test_what_one_run_lacks_is_shown_for_none():
    better, worse = arms()
    first, *others = with_anchors(better)
    anchors = {name: first.quality["anchors"][name] for name in ("mean", "bias", "boosting")}
    first = replace(first, quality=first.quality | {"anchors": anchors})
    said = "\n".join(page_of([first, *others, *with_anchors(worse)]))
    assert "gradient boosting" in said
    for title in ("linear (one-hot)", "matrix factorisation", "item mean"):
        assert title not in said


def test_a_comparison_of_old_records_takes_nothing_from_another():
    new = [*with_anchors(arms()[0]), *with_anchors(arms()[1])]
    summary = summarise(collect([*new, *arms("wide")[0], *arms("wide")[1]]).kept)
    known = summary.set_index("features")[["anchor_linear", "anchor_boosting", "anchor_mf"]].notna()
    assert known.loc["base"].all().all()
    assert not known.loc["wide", ["anchor_linear", "anchor_boosting"]].any().any()
    assert known.loc["wide", "anchor_mf"].all()


def test_old_records_have_the_page_that_they_had():
    better, worse = arms()
    said = "\n".join(page_of([*better, *worse]))
    for title in (*TITLES, "the linear model"):
        assert title not in said


@pytest.mark.parametrize(
    ("linear", "boosting", "said"),
    [
        (0.8, 0.82, "no arm beats the linear model of one-hot features (0.8000)"),
        (0.82, 0.8, "no arm beats gradient boosting (0.8000)"),
        (0.87, 0.88, "1 of 2 arms beat the best predictor without an embedding"),
    ],
)
def test_a_split_names_the_best_predictor_without_an_embedding(linear, boosting, said):
    records = []
    for split in ("random", "user_temporal"):
        for label, mse in (("unified", 0.85), ("per_feature", 0.875)):
            scores = [mse, mse + 0.001, mse + 0.002]
            records += fake.arm(scores, label, 28_032, split=split)
    records = list(with_anchors(records, linear, boosting))
    kept = collect(records).kept
    frame = splits.tidy(study_of(kept, summary=summarise(kept)))
    lines = splits.table(frame)
    assert said in lines[0]
    assert sum(line.startswith("| *linear (one-hot)*") for line in lines) == 2

"""The section about users, calibration and ranking."""

import fake_records as fake
import numpy as np
import pytest
from study_data import study_of

from ue_bench.record.group_errors import group_errors
from ue_bench.report.evidence.arms import collect
from ue_bench.report.figures.sections.every_study import who_pays


def arms(keep=True):
    records = []
    for strategy, mse in (("unified", 0.86), ("per_feature", 0.9)):
        for record in fake.arm([mse, mse + 0.01], strategy, 28_032):
            records.append(fake.with_groups(record) if keep else record)
    return collect(records).kept


def test_the_points_are_means_over_runs():
    kept = arms()
    frame = who_pays.tidy(study_of(kept))
    unified = frame[frame["group"] == "unified"]
    curve = unified[unified["kind"] == "reliability"]
    assert len(curve) == 10
    assert list(curve["y"]) == pytest.approx([0.02] * 10)
    assert set(unified["ece"]) == {0.02}
    assert unified["ndcg"].iloc[0] == pytest.approx(1.7 - 0.865)
    users = unified[unified["kind"] == "users"]
    assert list(users["x"]) == list(who_pays.SHARES)
    assert list(users["y"]) == sorted(users["y"])
    (own,) = [arm for arm in kept if arm.config["strategy"] == "unified"]
    medians = []
    for run in own.runs:
        errors = group_errors(run, "test")
        medians.append(np.median((errors.sums / errors.n)[errors.n > 0]))
    assert users[users["x"] == 50]["y"].iloc[0] == pytest.approx(np.mean(medians))


def test_without_errors_by_user_the_rest_is_shown():
    frame = who_pays.tidy(study_of(arms(keep=False)))
    assert set(frame["kind"]) == {"reliability"}
    lines = "\n".join(who_pays.table(frame))
    assert "| – | – | 0.0200 |" in lines


def test_the_figure_has_a_panel_for_users_and_one_for_calibration():
    kept = arms()
    frame = who_pays.tidy(study_of(kept))
    figure = who_pays.draw(frame, study_of(kept))
    labels = [axes.get_xlabel() for axes in figure.axes if axes.get_visible()]
    assert labels == ["per cent of users", "mean prediction of a tenth of the rows"]


def test_records_of_earlier_versions_are_left_out():
    kept = arms()
    for arm in kept:
        for run in arm.runs:
            run.quality.pop("reliability")
    assert who_pays.tidy(study_of(kept)).empty

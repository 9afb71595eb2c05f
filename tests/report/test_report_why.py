"""The section on collisions and angles: its frame, its table, and no section without diagnostics."""

import fake_records as fake
import pytest
from study_data import study_of

from ue_bench.report.evidence.arms import collect
from ue_bench.report.figures import style
from ue_bench.report.figures.sections.one_study import why

SIZES = (7_008, 28_032, 112_128)


def diagnosed(strategy, head, budget, seed, lost, mse, angle):
    asked = fake.config(
        strategy, seed=seed, budget=budget, head=head, diagnose=True, measure="quality"
    )
    shared = strategy == "unified"
    kinds = {
        name: {
            "free": [free],
            "free_any": free,
            "free_any_weighted": free,
            "formula": formula,
            "formula_any": formula,
        }
        for name, free, formula in (
            ("intra", 1 - lost, 0.9 - lost),
            ("inter", 0.1 if shared else 1.0, 0.1 if shared else 1.0),
        )
    }
    kinds["intra"]["own_weighted"] = 1 - lost / 2
    features = {
        name: {"values": 10, "rows": 9, "lookups": 1, "slots": 1, **kinds}
        for name in ("user_id", "movie_id")
    }
    load = {"rows": 9, "values": {"mean": 20.0, "max": 30.0}}
    record = fake.make(
        asked, "why", mse=mse, diagnostics={"features": features, "load": load, "why_null": {}}
    )
    epochs = range(11 - seed)  # seed 1 stops an epoch before seed 0
    series = [{"epoch": float(e), "angle": angle + e, "signed_angle": None} for e in epochs]
    record.quality["diagnostics"] = {"angles": series, "why_null": {}}
    return record


def records():
    for head, worse in (("linear", 0.1), ("mlp", 0.0)):
        for place, budget in enumerate(SIZES):
            for strategy, more in (("unified", 0.0), ("per_feature", 0.3)):
                for seed in range(2):
                    lost = 0.5 - 0.2 * place + more
                    yield diagnosed(
                        strategy,
                        head,
                        budget,
                        seed,
                        lost,
                        0.9 + worse + lost / 4 + seed / 100,
                        70 + 2 * place,
                    )


@pytest.fixture(scope="module")
def frame():
    arms = collect(records())
    assert arms.refused == ()
    return why.tidy(study_of(arms.kept))


def test_collisions_stand_once_whichever_the_head(frame):
    free = frame[frame["view"] == "free"]
    assert len(free) == len(SIZES) * 2 * (
        1 + 2
    )  # sizes, features; within: both forms, between: shared tables alone
    assert set(free.loc[free["kind"] == "inter", "regions"]) == {"multiplexed"}
    one = free[
        (free["kind"] == "intra") & (free["budget"] == SIZES[0]) & (free["regions"] == "separate")
    ]
    assert list(one["measured"]) == pytest.approx([0.2, 0.2])
    assert list(one["formula"]) == pytest.approx([0.1, 0.1])


def test_what_collisions_cost(frame):
    arms = frame[frame["view"] == "mse"]
    assert len(arms) == 2 * 2 * len(SIZES)
    assert list(arms["foreign"]) == pytest.approx(list(arms["lost"] / 2))
    assert list(arms["rho"]) == pytest.approx([1.0] * len(arms))
    assert set(arms["agree"]) == set(arms["pairs"]) == {3}
    assert set(arms["load_max"]) == {30.0}
    assert list(arms["angle_best"] - arms["angle_first"]) == pytest.approx(
        [6.0] * len(arms)
    )  # best epoch: 6


def test_angles_at_the_evaluations_that_all_seeds_reached(frame):
    angles = frame[
        (frame["view"] == "angle") & (frame["budget"] == SIZES[2]) & (frame["head"] == "mlp")
    ]
    own = angles[angles["regions"] == "multiplexed"]
    assert list(own["epoch"]) == list(range(10))
    assert list(own["angle"]) == [74 + e for e in range(10)]
    assert not angles["shown"].any()
    assert frame.loc[(frame["view"] == "angle") & (frame["head"] == "linear"), "shown"].all()


def test_the_table_has_every_arm_and_the_correlations(frame):
    lines = why.table(frame)
    assert len(lines) == 2 + 12 + 1 + 2
    assert (
        "| base (ml-100k, random split) | linear | per_feature 1×16 (proportional) | 6.9 kB"
        in lines[2]
    )
    assert "| 80.0% | 40.0% | 20.0 (30) | 70.0° → 76.0° | 1.2050 [" in lines[2]
    assert "in 3 of 3 pairs" in lines[-1]


def test_it_is_drawn(frame):
    with style.themed():
        figure = why.draw(frame, study_of())
    left, middle, right = figure.axes
    assert "share" in left.get_xlabel()
    assert "MSE" in middle.get_ylabel()
    assert "degrees" in right.get_ylabel()
    assert len(right.texts) == len(SIZES)


def test_without_diagnostics_there_is_nothing():
    arms = collect([fake.make(fake.config(budget=28_032))])
    assert why.tidy(study_of(arms.kept)).empty

"""The tidy halves of the figures, with numbers worked out by hand; the other halves draw whatever these hold."""

import fake_records as fake
import pandas as pd
import pytest

from ue_bench.report import allocation, anchors, choose, latency, memory, pareto, style, table_size, training
from ue_bench.report.arms import collect
from ue_bench.report.summary import score, summarise


def arm(budget, scores, strategy="unified", **asked):
    return [fake.make(fake.config(strategy, seed=seed, budget=budget, **asked), mse=mse) for seed, mse in enumerate(scores)]


@pytest.fixture(scope="module")
def small():
    """Two strategies that differ at 14 kB and not at 56 kB, and the exact table."""
    records = [
        *arm(14_016, [0.90, 0.91, 0.92]), *arm(14_016, [1.00, 1.01, 1.02], "per_feature"),
        *arm(56_064, [0.86, 0.87, 0.88]), *arm(56_064, [0.865, 0.875, 0.885], "per_feature"),
        *arm(None, [0.84, 0.85, 0.86], "collisionless"),
    ]  # fmt: skip
    arms = collect(records)
    return arms, summarise(arms.kept)


def test_table_size_shades_the_budgets_that_do_not_separate(small):
    frame = table_size.tidy(small[1])
    shaded = frame.loc[frame["shade_from"].notna(), "budget"].unique()
    assert list(shaded) == [56_064]
    row = frame[frame["budget"] == 56_064].iloc[0]
    assert (row["shade_from"], row["shade_to"]) == pytest.approx((28_032, 112_128))  # half a step of 4 on either side


def test_table_size_knows_reference_ticks_and_hollow_points(small):
    frame = table_size.tidy(small[1])
    assert list(frame.loc[frame["kind"] == "band", "label"]) == ["collisionless 16"]
    assert set(frame.loc[frame["kind"] == "budget", "tick"]) == {"14 kB\n1/16", "56 kB\n1/4"}
    assert set(frame.loc[frame["hollow"], "budget"]) == {14_016}
    assert set(frame["note"]) == {""}


def test_table_size_marks_an_arm_of_fewer_seeds():
    records = arm(14_016, [0.90, 0.91, 0.92]) + arm(14_016, [0.95], "per_feature")
    frame = table_size.tidy(summarise(collect(records).kept))
    assert dict(zip(frame["group"], frame["note"], strict=True)) == {"unified": "", "per_feature": "n=1"}
    assert frame["shade_from"].isna().all()  # one seed has no interval: nothing is said


def test_pareto_keeps_the_smaller_and_better(small):
    frame = pareto.tidy(small[1])
    front = frame[frame["front"]]
    assert list(front["group"]) == ["unified", "unified", "collisionless"]
    assert list(front["mse"]) == pytest.approx([0.91, 0.87, 0.85])


def test_anchors_far_away_are_told_not_drawn(small):
    frame = anchors.tidy(score(small[1])).set_index("anchor")
    assert frame.loc["mean", "mse"] == pytest.approx(1.27)
    assert dict(frame["inside"]) == {"bias": True, "item_mean": True, "mean": False}


def test_latency_takes_medians_at_the_middle_budget(small):
    arms, summary = small
    frame = latency.tidy(arms.kept, summary)
    assert set(frame["budget"].dropna()) == {14_016}  # the lower of two
    one = frame[(frame["group"] == "unified") & (frame["source"] == "values") & (frame["batch"] == 32)]
    own = next(a for a in arms.kept if a.group == "unified" and a.config["budget"] == 14_016)
    given = [row["p90_us"] for run in own.runs for row in run.cost["latency"] if (row["source"], row["batch"]) == ("values", 32)]
    assert one["p90_us"].item() == pytest.approx(sorted(given)[1])
    assert one["n"].item() == 600
    assert set(frame["machine"]) == {"cpu (Fake CPU), 1 thread"}


def test_latency_of_two_devices_has_a_panel_each():
    records = [fake.make(fake.config(budget=28_032, device=device)) for device in ("cpu", "cuda")]
    arms = collect(records)
    assert latency.tidy(arms.kept, summarise(arms.kept))["panel"].nunique() == 2


def test_memory_stacks_the_parts(small):
    frame = memory.tidy(small[1])
    bar = frame[frame["bar"] == "unified 1×16, 14 kB"].set_index("part")
    table, head = int(14_016 * 0.98), (16 * 6 * 64 + 64 + 65) * 4
    assert list(bar["bytes"]) == [table, 0, 0, head, 2 * (table + head)]
    assert bar.loc["optimizer", "left"] == table + head
    assert (bar["total"] == 3 * (table + head)).all()


def test_allocation_has_a_row_a_trial_and_feature_and_the_arms_beside():
    arms = collect(list(fake.study_search(trials=8)))
    frame = allocation.tidy(arms.search, summarise(arms.kept))
    trials, confirmed = frame[frame["view"] == "trial"], frame[frame["view"] == "confirm"]
    assert len(trials) == len(arms.search) * 6
    assert trials.groupby("feature")["best"].sum().eq(5).all()
    assert len(confirmed) == 5
    assert confirmed["even"].sum() == 2
    worst = confirmed[confirmed["y"] == 0]["mse"].item()
    assert worst == confirmed["mse"].max()


def test_training_shows_the_first_seed_of_each_strategy(small):
    arms, summary = small
    frame = training.tidy(arms.kept, summary)
    assert set(frame["part"]) == {"training", "validation"}
    first = {a.runs[0].run_id for a in arms.kept}
    assert set(frame["run_id"]) <= first
    assert frame["run_id"].nunique() == 3
    assert len(frame) == 3 * 2 * 10


@pytest.mark.parametrize("module", [table_size, pareto, memory])
def test_nothing_to_draw_is_an_empty_frame(module):
    assert module.tidy(summarise([])).empty


def test_nothing_to_draw_in_latency_training_and_allocation():
    assert latency.tidy([], summarise([])).empty
    assert training.tidy([], summarise([])).empty
    assert allocation.tidy([], summarise([])).empty


def test_too_many_lines_leave_each_strategy_its_best_on_validation():
    frame = pd.DataFrame(
        {
            "study": "s", "dataset": "d", "features": "f", "split": "r", "phase": "all", "budget": 1,
            "label": ["a 1", "a 2", "b 1"], "group": ["a", "a", "b"], "val_mse_mean": [0.9, 0.8, 0.7],
        }
    )  # fmt: skip
    assert list(choose.lines(frame)["line"]) == ["a 1", "a 2", "b 1"]
    assert list(choose.lines(frame, most=2)["label"]) == ["a 2", "b 1"]
    assert list(choose.lines(frame, most=2)["line"]) == ["a", "b"]


def test_forty_strategies_look_different_and_the_order_given_does_not_matter():
    names = [f"method_{n:02}" for n in range(40)]
    looks = style.looks([(name, name) for name in names])
    assert len({(look.color, look.marker) for look in looks.values()}) == 40
    assert looks == style.looks([(name, name) for name in reversed(names)])

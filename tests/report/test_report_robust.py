"""The sections on other heads, splits and seeds, on records whose answer is known."""

import random
from dataclasses import replace

import fake_records as fake
import pytest
from study_data import study_of

from ue_bench.report.evidence.arms import collect
from ue_bench.report.evidence.summary import summarise
from ue_bench.report.figures.sections.one_study import heads, splits

FORMS = (
    {"strategy": "unified"},
    {"strategy": "per_feature", "region_rule": "proportional"},
    {"strategy": "per_feature", "region_rule": "sqrt"},
    {"strategy": "per_feature", "region_rule": "equal"},
)


def under(head, levels, budgets=(14_016,), seeds=5, **asked):
    """The forms with those levels of MSE under a head; most of the noise is common to a seed."""
    for form, level in zip(FORMS, levels, strict=True):
        for budget in budgets:
            for seed in range(seeds):
                config = fake.config(
                    seed=seed, budget=budget, measure="quality", head=head, **form, **asked
                )
                noise = random.Random(seed).gauss(0, 0.01) + random.Random(config.run_id).gauss(
                    0, 0.001
                )
                yield fake.make(config, "robust", mse=0.9 + level + noise)


def heads_of(records):
    arms = collect(records)
    assert not arms.refused
    return heads.tidy(study_of(arms.kept)), arms.kept


def test_the_same_order_under_two_heads():
    frame, arms = heads_of(
        [*under("mlp", (0, 0.01, 0.02, 0.03)), *under("dcn", (0, 0.02, 0.03, 0.05), hidden=192)]
    )
    row = frame.iloc[0]
    assert (row.head_x, row.head_y, row.arms, row.seeds) == ("mlp", "dcn", 4, 5)
    assert (row.tau, row.tau_low, row.tau_high, row.rho) == (1, 1, 1, 1)
    assert (row.told_apart, row.reversed) == (6, 0)
    assert (
        "in each of the 6 cases in which both heads tell the arms apart, the order is the same"
        in heads.table(frame)[0]
    )
    figure = heads.draw(frame, study_of(arms))
    assert [axes.get_xlabel() for axes in figure.axes] == ["test MSE, mlp head"]


def test_the_opposite_order_under_another_head():
    frame, _ = heads_of(
        [*under("mlp", (0, 0.01, 0.02, 0.03)), *under("dot", (0.03, 0.02, 0.01, 0), hidden=16)]
    )
    row = frame.iloc[0]
    assert (row.tau, row.rho, row.told_apart, row.reversed) == (-1, -1, 6, 6)
    assert (
        "of the 6 cases in which both heads tell the arms apart, 6 have opposite orders"
        in heads.table(frame)[0]
    )


def test_arms_that_cannot_be_told_apart_leave_the_correlation_open():
    frame, _ = heads_of([*under("mlp", (0, 0, 0, 0)), *under("dot", (0, 0, 0, 0), hidden=16)])
    row = frame.iloc[0]
    assert row.tau_low < row.tau_high
    assert row.told_apart == 0


def test_sizes_are_ranked_apart_and_the_exact_table_at_each():
    records = []
    for head in ("mlp", "dot"):
        records += under(head, (0, 0.01, 0.02, 0.03), (14_016, 28_032), seeds=3)
        for seed in range(3):
            exact = fake.config("collisionless", seed=seed, measure="quality", head=head)
            records.append(fake.make(exact, "robust", mse=0.85 + 0.001 * seed))
    frame, _ = heads_of(records)
    assert frame.groupby("panel")["label"].nunique().to_dict() == {
        "base (ml-100k, random split), 14 kB": 5,
        "base (ml-100k, random split), 28 kB": 5,
    }
    ranks = [line for line in heads.table(frame) if line.startswith("| collisionless")]
    assert [line.split(" | ")[1] for line in ranks] == ["1", "1"]


def test_one_head_is_no_comparison():
    assert heads_of(list(under("mlp", (0, 0.01, 0.02, 0.03))))[0].empty


def on(split, levels, cold=0.0, seeds=5):
    """The forms on a split, a part of whose judged rows have unseen users."""
    n_cold = round(10_000 * cold)
    for record in under("mlp", levels, seeds=seeds, split=split):
        mse = record.quality["train_mse"] + 0.1
        slices = {
            "of": "test",
            "warm_user": {"n": 10_000 - n_cold, "mse": mse},
            "cold_user": {"n": n_cold, "mse": None},
            "warm_item": {"n": 9_900, "mse": mse},
            "cold_item": {"n": 100, "mse": mse + 0.2},
        }
        if n_cold:
            slices["cold_user"]["mse"] = mse + 0.1
        quality = record.quality | {"slices": slices}
        if split == "article":  # which has no test part
            slices["of"] = "val"
            quality |= {"test_mse": None, "val_mse": mse}
        yield fake.with_groups(replace(record, quality=quality))


def splits_of(records):
    arms = collect(records).kept
    summary = summarise(arms)
    return splits.tidy(study_of(arms, summary=summary)), arms, summary


def told(records):
    """The sentence of each split."""
    frame, _, _ = splits_of(records)
    return {split: splits._sentence(part) for split, part in frame.groupby("split")}


def test_a_split_of_unseen_users_in_which_nothing_beats_the_bias_model_ranks_nothing():
    words = told(
        [
            *on("random", (-0.06, -0.05, -0.04, -0.03)),
            *on("article", (0.1, 0.2, 0.3, 0.4), cold=0.84),
        ]
    )
    assert words["random"].startswith(
        "base (ml-100k, random split) can tell strategies apart: 0 % of its judged rows"
    )
    assert (
        "4 of 4 arms beat the best predictor without an embedding, and 6 of 6 pairs"
        in words["random"]
    )
    assert words["article"].startswith(
        "base (ml-100k, article split) cannot rank strategies: 84 % of its judged rows"
    )
    assert "no arm beats the bias model (0.8" in words["article"]
    assert words["article"].endswith("What is told apart there is how the arms fail.")


def test_a_split_in_which_no_pair_is_told_apart_ranks_nothing():
    words = told([*on("random", (-0.06, -0.05, -0.04, -0.03)), *on("user_temporal", (-0.05,) * 4)])
    assert "cannot rank strategies" in words["user_temporal"]
    assert "no pair of arms is told apart" in words["user_temporal"]


def test_a_split_of_seen_users_ranks_even_where_the_bias_model_is_better():
    words = told(
        [
            *on("random", (0.1, 0.2, 0.3, 0.4)),
            *on("global_temporal", (-0.06, -0.05, -0.04, -0.03), cold=0.84),
        ]
    )
    assert "can tell strategies apart" in words["random"]
    assert (
        "can tell strategies apart" in words["global_temporal"]
    )  # unseen users, and yet better than the bias model


def test_slices_and_anchors_stand_in_the_table_and_the_primary_split_first():
    frame, arms, summary = splits_of(
        [*on("article", (0.1, 0.2, 0.3, 0.4), cold=0.84), *on("random", (0, 0.1, 0.2, 0.3))]
    )
    assert list(dict.fromkeys(frame["split"])) == ["random", "article"]
    lines = splits.table(frame)
    assert "cold users (8,400 rows)" in "\n".join(lines)
    assert sum(line.startswith("| *") for line in lines) == 2 * 4
    row = frame[frame["split"] == "article"].iloc[0]
    assert (row.part, row.cold_user_n, row.warm_user_n) == ("validation", 8400, 1600)
    assert row.cold_user_mse == pytest.approx(row.mse + 0.1)
    figure = splits.draw(frame, study_of(arms, summary=summary))
    assert [axes.get_ylabel() for axes in figure.axes] == ["test MSE", "validation MSE"]


def test_one_split_is_no_comparison():
    assert splits_of(list(on("random", (0, 0.1, 0.2, 0.3))))[0].empty

"""Arms, labels, the latency join, and what is refused."""

from dataclasses import replace

import fake_records as fake
import pandas as pd
import pytest

from ue_bench.report.evidence.arms import collect
from ue_bench.report.evidence.comparison import Comparison
from ue_bench.report.evidence.labels import Named, name_all, plain_label
from ue_bench.report.evidence.summary import COLUMNS, panel, summarise
from ue_bench.report.evidence.verdict import verdicts

TARGET_SCALE = ("target_scale",)
TRIED = {  # what a trial says of a search for lr
    "number": 0,
    "sampler": "tpe",
    "total": None,
    "varies": ["lr"],
    "objectives": ["quality.val_mse"],
}


def runs(strategy="unified", seeds=range(3), phase="grid", **asked):
    """One record a seed, at 28,032 bytes unless another budget is asked for."""
    asked.setdefault("budget", 28_032)
    return [fake.make(fake.config(strategy, seed=seed, **asked), phase=phase) for seed in seeds]


def two_arms(seeds=range(3), **asked):
    return runs(seeds=seeds, **asked) + runs(seeds=seeds, budget=14_016, **asked)


def labels_of(records):
    return [arm.label for arm in collect(records).kept]


@pytest.mark.parametrize(
    ("config", "label"),
    [
        ({"strategy": "unified", "lookups": 2, "dim": 8}, "unified 2×8"),
        ({"strategy": "per_feature", "region_rule": "sqrt"}, "per_feature 1×16 (sqrt)"),
        ({"strategy": "collisionless"}, "collisionless 16"),
        (
            {"strategy": "unified", "lookups": {"user_id": 2, "movie_id": 2, "zip": 1}},
            "unified user_id=2,movie_id=2 ×16",
        ),
        ({"strategy": "unified", "options": {"block": 8}}, "unified 1×16"),
    ],
)
def test_labels_are_short(config, label):
    asked = fake.config(**{"budget": 1000, **config}).to_dict()
    assert plain_label(asked, {"dim": asked["dim"]}) == label


def test_equal_labels_tell_in_what_they_differ_from_the_default():
    records = runs(device="cpu") + runs(device="cuda")
    assert labels_of(records) == [
        "unified 1×16",
        "unified 1×16 [device=cuda]",
    ]


def test_group_names_the_regions_where_one_strategy_has_two_forms():
    shared = fake.config(budget=28_032)
    records = [
        fake.make(shared),
        fake.make(replace(shared, regions="separate", region_rule="equal")),
    ]
    assert {arm.group for arm in collect(records).kept} == {
        "unified multiplexed",
        "unified separate",
    }


def test_an_arm_is_a_configuration_without_its_seeds():
    arms = collect(two_arms()).kept
    assert [(arm.config["budget"], len(arm.runs), arm.n_most) for arm in arms] == [
        (14_016, 3, 3),
        (28_032, 3, 3),
    ]


def test_an_arm_of_another_recipe_is_refused_and_named():
    odd = runs("per_feature", hidden=32)
    arms = collect(two_arms() + odd)
    assert [arm.group for arm in arms.kept] == ["unified", "unified"]
    assert arms.refused == (
        "base (ml-100k, random split), study fake: per_feature 1×16 (proportional) at 28032 bytes: "
        "hidden is 32, the others have 64",
    )


def test_a_refused_arm_is_that_of_its_strategy_alone():
    """The name of one strategy may be in that of another one."""
    arms = collect(two_arms() + runs("per") + runs("per_feature", hidden=32))
    assert len(arms.refused) == 1
    assert arms.refused_of("per_feature") == list(arms.refused)
    assert arms.refused_of("per") == []


def test_features_of_few_values_may_be_held_otherwise_beside_the_same_arm_alone():
    exact = {"low_cardinality": "exact"}
    hashed = two_arms() + runs("robe")
    arms = collect(hashed + runs("unified", **exact) + runs("per_feature", **exact))
    assert sorted(arm.label for arm in arms.kept if arm.group == "unified") == [
        "unified 1×16",
        "unified 1×16",
        "unified 1×16 [low_cardinality=exact]",
    ]
    (reason,) = arms.refused
    assert reason.endswith(
        'low_cardinality is "exact", the others have "hashed", and there is no such arm'
    )
    alike = collect(runs("unified", **exact) + runs("per_feature", **exact))
    assert not alike.refused


def test_arms_on_another_scale_of_the_target_are_refused():
    """So are those of a version that knew no scale, which are raw."""
    for odd in (
        runs("per_feature", target_scale="raw"),
        [fake.reread(run, TARGET_SCALE) for run in runs("per_feature", target_scale="raw")],
    ):
        arms = collect(two_arms() + odd)
        assert [arm.label for arm in arms.kept] == ["unified 1×16"] * 2
        (reason,) = arms.refused
        assert reason.endswith('target_scale is "raw", the others have "standard"')
    old = collect(runs(target_scale="raw") + runs("per_feature", target_scale="raw"))
    assert old.refused == ()
    assert [arm.label for arm in old.kept] == ["per_feature 1×16 (proportional)", "unified 1×16"]


def test_the_scale_of_the_target_is_in_a_label_where_arms_differ_in_it():
    configs = [fake.config(budget=1000, target_scale=scale) for scale in ("raw", "standard")]
    named = [Named("one comparison", config.to_dict(), {}) for config in configs]
    assert [label for label, _ in name_all(named)] == [
        "unified 1×16 [target_scale=raw]",
        "unified 1×16",
    ]


def test_multi_valued_features_are_another_comparison():
    arms = collect(two_arms() + two_arms(multi_valued="genres"))
    assert arms.refused == ()
    assert {(arm.comparison.features, arm.label, arm.n_most) for arm in arms.kept} == {
        ("base", "unified 1×16", 3),
        ("base (genres multi-valued)", "unified 1×16", 3),
    }


def test_records_from_before_a_choice_are_of_the_same_arm():
    first, second, third = runs()
    later = ("multi_valued", "optimizer_path")
    old = [fake.reread(first, without=later), fake.reread(second, without=later)]
    (arm,) = collect([*old, third]).kept
    assert len(arm.runs) == 3


def test_an_arm_that_lost_a_feature_is_refused():
    cards = dict(fake.CARDINALITIES["base"])
    del cards["zip"]
    odd = []
    for seed in range(3):
        config = fake.config("per_feature", seed=seed, budget=28_032)
        odd.append(fake.make(config, cardinalities=cards))
    arms = collect(two_arms() + odd)
    assert len(arms.kept) == 2
    assert "cardinalities is" in arms.refused[0]


def over_budget(scores=(0.5, 0.51, 0.52), **asked):
    """Records of an exact table that was recorded at a budget which it does not keep."""
    records = []
    for record in fake.arm(scores, "collisionless", **asked):
        cost = record.cost | {"table_bytes": 662_000, "total_bytes": 700_000}
        records.append(replace(record, cost=cost))
    return records


def test_an_arm_over_its_budget_is_refused_and_named_best_nowhere():
    rivals = fake.arm((0.8, 0.81, 0.82)) + fake.arm((0.9, 0.91, 0.92), "per_feature")
    unlimited = fake.arm((0.5, 0.51, 0.52), "collisionless", None)
    arms = collect(rivals + unlimited + over_budget())
    assert arms.refused == (
        "base (ml-100k, random split), study fake: collisionless 16 at 28032 bytes: its table and "
        "auxiliary data take 662,000 bytes, over its budget",
    )
    ranked = verdicts(arms.kept, summarise(arms.kept))
    assert set(ranked["named"]) == {"unified 1×16"}
    assert set(ranked["label"]) == {"unified 1×16", "per_feature 1×16 (proportional)"}


def test_an_arm_of_which_only_the_latency_is_known_keeps_its_budget_too():
    timed = [replace(record, phase="latency", quality={}) for record in over_budget((0.5,))]
    arms = collect(two_arms() + timed)
    assert len(arms.kept) == 2
    assert "over its budget" in arms.refused[0]


def test_an_arm_on_other_rows_is_refused():
    rows = {"train": 70_000, "val": 10_000, "test": 10_000}
    odd = [fake.make(fake.config("per_feature", budget=28_032), n_rows=rows)]
    (reason,) = collect(two_arms() + odd).refused
    assert "n_rows with split seed 0 is" in reason


def test_fewer_seeds_are_kept_and_marked_but_other_seeds_are_refused():
    fewer = [fake.make(fake.config("per_feature", budget=28_032, seed=1))]
    other = [fake.make(fake.config("per_feature", budget=14_016, seed=9))]
    arms = collect(two_arms() + fewer + other)
    assert [(len(arm.runs), arm.n_most) for arm in arms.kept if arm.group == "per_feature"] == [
        (1, 3)
    ]
    assert arms.refused[0].endswith("seeds are 9, the others have 0 1 2")


def tuned(strategy, trials=2, best=None, **asked):
    """Trials of a search over the learning rate, and the last one's recipe on three fresh seeds."""
    rates = [0.001 * (1 + len(strategy) + trial) for trial in range(trials)]
    for rate in rates:
        yield fake.make(fake.config(strategy, budget=28_032, lr=rate), phase="search")
    for seed in (100, 101, 102):
        yield fake.make(
            fake.config(strategy, budget=14_016, seed=seed, lr=best or rates[-1], **asked),
            phase="confirm",
        )


def test_an_arm_may_have_a_recipe_of_its_own_where_a_search_chose_it():
    arms = collect([*tuned("unified"), *tuned("per_feature")])
    assert {arm.label for arm in arms.kept} == {"unified 1×16", "per_feature 1×16 (proportional)"}
    assert len({arm.config["lr"] for arm in arms.kept}) == 2
    assert arms.refused == arms.uneven == ()


def test_what_was_not_searched_must_still_be_equal():
    (reason,) = collect([*tuned("unified"), *tuned("abc"), *tuned("per_feature", hidden=8)]).refused
    assert reason.endswith("hidden is 8, the others have 64")


def test_a_field_that_differs_between_searches_was_not_searched():
    other = runs("abc", seeds=(100, 101, 102), phase="confirm", epochs=3)
    trials = runs("abc", seeds=[0], phase="search", epochs=3, lr=0.001)
    trials += runs("abc", seeds=[0], phase="search", epochs=3, lr=0.002)
    (reason,) = collect([*tuned("unified"), *tuned("per_feature"), *trials, *other]).refused
    assert reason.endswith("epochs is 3, the others have 100")


def test_two_searches_on_two_scales_of_the_target_did_not_search_the_scale():
    """The evidence of a study made anew lies beside what an earlier version made."""
    records = []
    for scale, strategy in (("raw", "abc"), ("standard", "abc"), ("standard", "unified")):
        for rate in (0.001, 0.002):
            config = fake.config(strategy, budget=28_032, lr=rate, target_scale=scale)
            records.append(fake.make(config, phase="search", trial=TRIED))
        records += runs(
            strategy, seeds=(100, 101, 102), phase="confirm", lr=0.002, target_scale=scale
        )
    arms = collect(records)
    assert [arm.config["target_scale"] for arm in arms.kept] == ["standard"] * 2
    (reason,) = arms.refused
    assert reason.endswith('target_scale is "raw", the others have "standard"')


def test_a_grid_beside_a_search_has_one_recipe():
    grid = two_arms() + runs("per_feature", lr=0.01)
    assert "lr is 0.01" in collect([*tuned("unified"), *grid]).refused[0]


def test_unequal_trials_and_untried_recipes_are_named_not_refused():
    arms = collect(
        [*tuned("unified"), *tuned("abc"), *tuned("per_feature", trials=3), *tuned("xy", best=0.5)]
    )
    assert len(arms.kept) == 4
    assert [line.split(": ", 1)[1] for line in arms.uneven] == [
        "per_feature separate: 3 search trials, the others have 2",
        "xy 1×16 (proportional): no trial of its search had its recipe (lr 0.5, options {})",
    ]


def test_equal_labels_tell_the_knob_in_which_they_differ():
    records = runs(options={"block": 4}) + runs(options={"block": 8})
    assert labels_of(records) == [
        "unified 1×16 [block=4]",
        "unified 1×16 [block=8]",
    ]


def test_latency_is_joined_to_the_runs_of_its_configuration():
    quality = runs(measure="quality")
    clock = fake.make(fake.config(budget=28_032, seed=77, measure="latency"), phase="latency")
    (arm,) = collect([*quality, clock]).kept
    assert len(arm.runs) == 3
    assert arm.timings == (clock,)
    measured = pd.DataFrame(clock.cost["latency"]).set_index(["source", "callers", "batch"])
    alone = measured.loc[("values", 1, 256)]
    row = summarise([arm]).loc[0]
    assert row["latency_us"] == pytest.approx(alone["p50_us"])
    assert row["latency_p99_us"] == pytest.approx(alone["p99_us"])
    together = measured.loc[("values", 2, 256), "p50_us"]
    assert row["latency_together_us"] == pytest.approx(together)
    codes = measured.loc[("codes", 1, 256), "p50_us"]
    assert row["latency_codes_us"] == pytest.approx(codes)
    assert row["slot_cache_bytes"] == clock.cost["slot_cache_bytes"]


def test_of_few_calls_there_is_no_99th_percentile():
    clock = fake.make(fake.config(budget=28_032, measure="latency"), phase="latency")
    for entry in clock.cost["latency"]:
        entry["n"] = 99
    row = summarise(collect([clock]).kept).loc[0]
    assert row["latency_us"] > 0
    assert pd.isna(row["latency_p99_us"])


def test_records_made_before_there_were_two_callers_are_of_one():
    clock = fake.make(fake.config(budget=28_032, measure="latency"), phase="latency")
    entries = [entry for entry in clock.cost["latency"] if entry["callers"] == 1]
    new = summarise(collect([clock]).kept).loc[0]
    old = []
    for entry in entries:
        old.append({k: v for k, v in entry.items() if k not in ("callers", "rows_per_second")})
    cost = {k: v for k, v in clock.cost.items() if k != "slot_cache_bytes"}
    row = summarise(collect([replace(clock, cost=cost | {"latency": old})]).kept).loc[0]
    assert row["latency_us"] == new["latency_us"]
    assert row["latency_codes_us"] == new["latency_codes_us"]
    assert pd.isna(row["latency_together_us"])
    assert pd.isna(row["slot_cache_bytes"])


def test_a_run_that_measures_all_times_itself_and_a_seed_counts_once():
    asked = fake.config(budget=28_032)
    (arm,) = collect([fake.make(asked), fake.make(replace(asked, measure="quality"))]).kept
    assert len(arm.runs) == 1
    assert len(arm.timings) == 1


def test_search_records_never_reach_the_summary():
    search = runs(seeds=[0], phase="search", lookups={"user_id": 2})
    search += runs(seeds=[0], phase="search", lookups={"user_id": 3})
    clock = fake.make(
        fake.config(budget=28_032, lookups={"user_id": 2}, measure="latency"), phase="latency"
    )
    arms = collect([*two_arms(), *search, clock])
    summary = summarise(arms.kept)
    assert len(arms.search) == 2
    quoted = " ".join(summary["run_ids"]).split()
    assert search[0].run_id not in quoted
    assert search[1].run_id not in quoted
    assert set(summary["lookups"]) == {"1"}


def test_failed_runs_are_counted_not_compared():
    arms = collect([*two_arms(), fake.failed(fake.config(budget=128))])
    assert len(arms.kept) == 2
    assert len(arms.failed) == 1


def test_a_latency_study_has_arms_without_runs():
    clock = fake.make(fake.config(budget=28_032, measure="latency"), phase="latency")
    summary = summarise(collect([clock]).kept)
    assert summary.loc[0, "n"] == 0
    assert summary.loc[0, "latency_us"] > 0


def test_the_summary_of_nothing_has_its_columns():
    assert list(summarise([]).columns) == list(COLUMNS)


def test_arms_of_another_head_are_compared_among_themselves():
    other = two_arms(head="dot", hidden=16)
    arms = collect(two_arms() + other)
    assert not arms.refused
    assert [arm.comparison.head for arm in arms.kept] == ["dot", "dot", "mlp", "mlp"]
    summary = summarise(arms.kept)
    assert sorted(set(panel(summary))) == [
        "base (ml-100k, random split)",
        "base (ml-100k, random split, dot head)",
    ]
    assert set(verdicts(arms.kept, summary)["head"]) == {"dot", "mlp"}


def test_an_arm_of_another_recipe_is_refused_within_its_head():
    odd = runs("per_feature", head="dot", hidden=16, lr=0.1)
    refused = collect(two_arms() + two_arms(head="dot", hidden=16) + odd).refused
    assert len(refused) == 1
    assert refused[0].startswith("base (ml-100k, random split, dot head), study fake: per_feature")


def held(seed="hash_seed", values=range(1, 4)):
    """Runs with one seed varied from the first of `two_arms`."""
    return [fake.make(replace(fake.config(budget=28_032), **{seed: value})) for value in values]


def test_runs_with_some_seeds_held_are_no_replicates():
    arms = collect(two_arms() + held() + held("init_seed"))
    assert [(arm.config["budget"], len(arm.runs), arm.n_most) for arm in arms.kept] == [
        (14_016, 3, 3),
        (28_032, 3, 3),
    ]
    assert len(arms.held) == 6
    assert not arms.refused
    own = summarise(arms.kept).set_index("budget")["n"]
    assert list(own) == [3, 3]


def test_a_run_with_unequal_seeds_that_stands_alone_is_a_replicate():
    assert len(collect(held(values=[5])).kept) == 1
    assert not collect(held(values=[5])).held


def test_a_title_names_head_and_task_only_where_they_are_unusual():
    usual = Comparison(
        study="s",
        dataset="ml-100k",
        features="base",
        split="user_temporal",
        head="mlp",
        phase="all",
        task="regression",
    )
    assert usual.title == "base (ml-100k, user temporal split)"
    assert usual.full_title == "base (ml-100k, user temporal split), study s"
    other = usual._replace(head="dot", task="binary", phase="confirm")
    assert other.title == (
        "base (ml-100k, user temporal split, dot head, binary), after the search, on fresh seeds"
    )
    assert Comparison.of_row({**other._asdict(), "label": "unified"}) == other

"""The tidy halves of the figures, with numbers worked out by hand; the other halves draw whatever these hold."""

import inspect
import re
from collections import Counter
from itertools import combinations

import fake_records as fake
import matplotlib.pyplot as plt
import pandas as pd
import pytest
from study_data import study_of

from ue_bench.config.stream_split import STREAM
from ue_bench.report.evidence.arms import collect
from ue_bench.report.evidence.summary import score, summarise
from ue_bench.report.figures import anchor_lines as anchors
from ue_bench.report.figures import chosen_lines as choose
from ue_bench.report.figures import picture, placing, style
from ue_bench.report.figures.hover import hover, of_difference
from ue_bench.report.figures.sections.contents import SECTIONS
from ue_bench.report.figures.sections.every_study import (
    latency,
    latency_mse,
    memory,
    pareto,
    table_size,
    training,
)
from ue_bench.report.figures.sections.one_study import forms, methods
from ue_bench.report.figures.sections.searches import allocation
from ue_bench.report.format import bytes_text
from ue_bench.report.page.rank_tables import rank_tables
from ue_bench.strategies import STRATEGIES
from ue_bench.strategies.families import FAMILIES


def arm(budget, scores, strategy="unified", **asked):
    return [
        fake.make(fake.config(strategy, seed=seed, budget=budget, **asked), mse=mse)
        for seed, mse in enumerate(scores)
    ]


@pytest.fixture(scope="module")
def small():
    """Two strategies that differ at 14 kB and not at 56 kB, and the exact table."""
    records = [
        *arm(14_016, [0.90, 0.91, 0.92]),
        *arm(14_016, [1.00, 1.01, 1.02], "per_feature"),
        *arm(56_064, [0.86, 0.87, 0.88]),
        *arm(56_064, [0.885, 0.865, 0.875], "per_feature"),
        *arm(None, [0.84, 0.85, 0.86], "collisionless"),
    ]
    arms = collect(records)
    return arms, summarise(arms.kept)


def test_table_size_shades_the_budgets_that_do_not_separate(small):
    frame = table_size.tidy(study_of(small[0].kept))
    shaded = frame.loc[frame["shade_from"].notna(), "budget"].unique()
    assert list(shaded) == [56_064]
    row = frame[frame["budget"] == 56_064].iloc[0]
    assert (row["shade_from"], row["shade_to"]) == pytest.approx(
        (28_032, 112_128)
    )  # half a step of 4 on either side


def test_table_size_knows_reference_ticks_and_hollow_points(small):
    frame = table_size.tidy(study_of(small[0].kept))
    assert list(frame.loc[frame["kind"] == "band", "label"]) == ["collisionless 16"]
    assert set(frame.loc[frame["kind"] == "budget", "tick"]) == {"14 kB\n1/16", "56 kB\n1/4"}
    assert set(frame.loc[frame["hollow"], "budget"]) == {14_016}
    assert set(frame["note"]) == {""}


def test_table_size_marks_an_arm_of_fewer_seeds():
    records = arm(14_016, [0.90, 0.91, 0.92]) + arm(14_016, [0.95], "per_feature")
    frame = table_size.tidy(study_of(collect(records).kept))
    assert dict(zip(frame["group"], frame["note"], strict=True)) == {
        "unified": "",
        "per_feature": "n=1",
    }
    assert frame["shade_from"].isna().all()  # one seed has no interval: nothing is said


def test_pareto_keeps_the_smaller_and_better(small):
    frame = pareto.tidy(study_of(summary=small[1]))
    front = frame[frame["front"] & (frame["vocabulary"] == "dictionary")]
    assert list(front["group"]) == ["unified", "unified", "collisionless"]
    assert list(front["mse"]) == pytest.approx([0.91, 0.87, 0.85])


def test_the_front_is_a_table_from_the_smallest_arm_on(small):
    lines = pareto.table(pareto.tidy(study_of(summary=small[1])))
    cells = [[cell.strip() for cell in line.split("|")[1:-1]] for line in lines[3:]]
    assert [(label, size, needs) for label, size, _, _, needs, _ in cells] == [
        ("unified 1×16", "14 kB", "none"),
        ("unified 1×16", "55 kB", "none"),
        ("collisionless 16", "229 kB", "key-free"),
        ("collisionless 16", "263 kB", "dictionary"),
    ]
    assert [mse.split()[0] for _, _, mse, *_ in cells] == ["0.9100", "0.8700", "0.8500", "0.8500"]
    assert {n for *_, n, _, _ in cells} == {"3"}
    assert {head for *_, head in cells} == {"25 kB"}


def test_anchors_far_away_are_told_not_drawn(small):
    frame = anchors.tidy(score(small[1])).set_index("anchor")
    assert frame.loc["mean", "mse"] == pytest.approx(1.27)
    assert dict(frame["inside"]) == {"bias": True, "item_mean": True, "mean": False, "mf": True}


def test_latency_takes_medians_at_the_middle_budget(small):
    arms, summary = small
    frame = latency.tidy(study_of(arms.kept, summary=summary))
    assert set(frame["budget"].dropna()) == {14_016}  # the lower of two
    one = frame[
        (frame["group"] == "unified")
        & (frame["source"] == "from raw values")
        & (frame["batch"] == 32)
    ]
    own = next(a for a in arms.kept if a.group == "unified" and a.config["budget"] == 14_016)
    given = [
        row["p90_us"]
        for run in own.runs
        for row in run.cost["latency"]
        if (row["source"], row["callers"], row["batch"]) == ("values", 1, 32)
    ]
    assert one["p90_us"].item() == pytest.approx(sorted(given)[1])
    assert one["n"].item() == 600
    assert set(frame["machine"]) == {"cpu (Fake CPU), 1 thread"}


def test_latency_of_two_devices_has_a_panel_each():
    records = [fake.make(fake.config(budget=28_032, device=device)) for device in ("cpu", "cuda")]
    arms = collect(records)
    assert latency.tidy(study_of(arms.kept))["panel"].nunique() == 2


def test_memory_stacks_the_parts(small):
    frame = memory.tidy(study_of(summary=small[1]))
    bar = frame[frame["bar"] == "unified 1×16, 14 kB"].set_index("part")
    table, head = int(14_016 * 0.98), (16 * 6 * 64 + 64 + 65) * 4
    assert list(bar["bytes"]) == [table, 0, 0, head, 0, 2 * (table + head)]
    assert bar.loc["optimizer", "left"] == table + head
    assert (bar["total"] == 3 * (table + head)).all()


def test_memory_counts_the_floats_behind_few_bits():
    records = arm(14_016, [0.9, 0.91], bits="int4")
    for record in records:
        record.cost["training_table_bytes"] = 8 * record.cost["table_bytes"]
    frame = memory.tidy(study_of(collect(records).kept))
    bar = frame.set_index("part")["bytes"]
    assert bar["floats"] == 8 * bar["table"] - bar["table"] - bar["auxiliary"] > 0


def test_memory_reads_from_the_smallest_bar_and_cuts_the_far_larger_ones(small):
    records = [run for own in small[0].kept for run in own.runs]
    for number in range(8):
        records += arm(14_016, [0.9, 0.91], f"method_{number}")
    huge = arm(14_016, [0.9, 0.91], "huge")
    for run in huge:
        run.cost["optimizer_bytes"] *= 100
    frame = memory.tidy(study_of(collect(records + huge).kept))
    bars = frame.drop_duplicates("y").sort_values("y", ascending=False)
    of_budget = bars[bars["budget"] == 14_016]
    assert of_budget["total"].is_monotonic_increasing
    assert of_budget["label"].iloc[-1].startswith("huge")
    assert list(of_budget["text"].str.startswith("▸")) == [False] * (len(of_budget) - 1) + [True]


def test_a_single_mark_is_at_its_tick():
    assert style.aside(0, 1) == 0
    assert [style.aside(number, 3) for number in range(3)] == [-0.5, 0, 0.5]
    frame = table_size.tidy(study_of(collect(arm(14_016, [0.90, 0.91])).kept))
    assert list(frame["x"]) == [14_016]


def test_tables_of_one_size_have_no_front():
    one_size = collect(arm(14_016, [0.90, 0.91]) + arm(14_016, [0.92, 0.93], "per_feature"))
    assert pareto.tidy(study_of(one_size.kept)).empty


def test_panels_go_on_below_so_that_letters_stay_large():
    records = []
    for split in ("random", "user_temporal", "global_temporal"):
        for budget in (7_008, 14_016, 28_032, 56_064):
            for strategy, mse in (("robe", 0.9), ("hashed_net", 0.91)):
                for regions in ("separate", "multiplexed"):
                    records += arm(
                        budget, [mse, mse + 0.01], strategy, regions=regions, split=split
                    )
    study = study_of(collect(records).kept)
    for module, most in ((training, training.ACROSS), (forms, 3)):
        frame = module.tidy(study)
        figure = module.draw(frame, study)
        shown = [axes for axes in figure.axes if axes.get_visible() and axes.get_title()]
        assert {axes.get_gridspec().ncols for axes in shown} == {most}
        panels = ["panel", "part"] if module is training else ["panel", "budget"]
        assert len(shown) == len(frame.drop_duplicates(panels))


def test_allocation_has_a_row_a_trial_and_feature_and_the_arms_beside():
    arms = collect(list(fake.study_search(trials=8)))
    frame = allocation.tidy(study_of(arms.kept, arms.search))
    trials, confirmed = frame[frame["view"] == "trial"], frame[frame["view"] == "confirm"]
    assert len(trials) == len(arms.search) * 6
    assert trials.groupby("feature")["best"].sum().eq(5).all()
    assert len(confirmed) == 5
    assert confirmed["even"].sum() == 2
    worst = confirmed[confirmed["y"] == 0]["mse"].item()
    assert worst == confirmed["mse"].max()


def test_training_shows_the_first_seed_of_each_strategy(small):
    arms, summary = small
    frame = training.tidy(study_of(arms.kept, summary=summary))
    assert set(frame["part"]) == {"training", "validation"}
    first = {a.runs[0].run_id for a in arms.kept}
    assert set(frame["run_id"]) <= first
    assert frame["run_id"].nunique() == 3
    assert len(frame) == 3 * 2 * 10


def test_training_leaves_streams_to_their_own_section():
    """A stream has one pass; its history is the errors of its blocks."""
    made = []
    for split in ("random", STREAM):
        for seed in range(2):
            made.append(fake.make(fake.config("unified", seed=seed, budget=28_032, split=split)))
    frame = training.tidy(study_of(collect(made).kept))
    assert not frame.empty
    assert not frame["panel"].str.contains("stream").any()


@pytest.fixture(scope="module")
def many():
    names = ("unified", "robe", "cce", "qr_add", "tt_rec", "dhe", "int4")
    arms = collect(list(fake.study_methods(names, seeds=3, trials=2, features=("base",))))
    return arms, summarise(arms.kept)


def test_methods_has_a_line_a_form_and_keeps_the_axis_for_most(many):
    frame = methods.tidy(study_of(summary=many[1]))
    assert set(frame.loc[frame["title"] == "robe", "regions"]) == {"multiplexed", "separate"}
    assert set(frame["title"]) == {
        "unified",
        "robe",
        "cce",
        "qr_add",
        "tt_rec",
        "dhe",
        "int4",
        "collisionless",
    }
    assert (frame["note"] == "").all()


def test_methods_does_not_stretch_its_axis_for_the_worst():
    made = [row for n in range(20) for row in arm(28_032, [0.85 + 0.001 * n] * 2, f"m{n:02}")]
    made += arm(14_016, [0.87, 0.87], "m00")
    frame = methods.tidy(
        study_of(collect([*made, *arm(28_032, [3.0, 3.0], "worst")]).kept)
    ).set_index("title")
    top = frame["top"].iloc[0]
    assert 0.89 < top < 0.91  # the bias model
    assert frame.loc["worst", "note"] == "▴ 3.00"
    assert frame.loc["worst", "y"] < top
    assert set(frame["note"]) == {"", "▴ 3.00"}


def test_methods_joins_strategies_that_are_forms_of_one_method():
    names = {"unified": "hashing", "per_feature": "hashing", "a": "a", "b": "b"}
    made = [
        fake.make(
            fake.config(name, seed=seed, budget=budget), mse=0.9 + 0.001 * seed, method=method
        )
        for name, method in names.items()
        for budget in (14_016, 28_032)
        for seed in range(3)
    ]
    arms = collect(made)
    summary = summarise(arms.kept)
    assert set(methods.tidy(study_of(summary=summary))["title"]) == {
        "per_feature / unified",
        "a",
        "b",
    }
    pairs = forms.tidy(study_of(arms.kept, summary=summary))
    assert list(pairs["strategy"]) == ["per_feature / unified"] * 2


def test_methods_of_one_budget_would_have_single_marks_and_are_left_out():
    made = [row for name in "abcd" for row in arm(28_032, [0.9, 0.91], name)]
    assert methods.tidy(study_of(collect(made).kept)).empty
    made += arm(14_016, [0.92, 0.93], "a", split="global_temporal")  # another comparison
    assert methods.tidy(study_of(collect(made).kept)).empty
    made += arm(14_016, [0.92, 0.93], "a")
    assert not methods.tidy(study_of(collect(made).kept)).empty


def test_forms_compares_the_best_rule_on_validation_by_seed():
    shared = arm(
        28_032, [0.90, 0.911, 0.92, 0.929], "robe", regions="multiplexed", region_rule=None
    )
    best = arm(28_032, [0.92, 0.93, 0.94, 0.95], "robe", region_rule="equal")
    worse = arm(28_032, [0.98, 0.99, 1.00, 1.01], "robe", region_rule="sqrt")
    arms = collect(shared + best + worse + arm(28_032, [0.9, 0.91, 0.92, 0.93], "other"))
    frame = forms.tidy(study_of(arms.kept))
    (row,) = frame.to_dict("records")
    assert row["separate_label"] == "robe separate 1×16 (equal)"
    assert (row["separate"], row["multiplexed"], row["n"]) == (
        pytest.approx(0.935),
        pytest.approx(0.915),
        4,
    )
    assert row["difference"] == pytest.approx(-0.02)
    assert row["difference_low"] < -0.02 < row["difference_high"] < 0
    assert row["p_holm"] == row["p"] < 0.001
    assert row["multiplexing"] == "better"
    *_, line, _, family = forms.table(frame)
    assert line.startswith(
        "| robe | base | 28 kB (1/8) | 0.9350 | 0.9150 | -0.0200 [-0.0216, -0.0184] | < 0.001 "
    )
    assert family.startswith("Holm's correction is over 1 test: ")


def test_forms_of_one_seed_are_not_told_apart():
    records = arm(28_032, [0.90], "robe", regions="multiplexed", region_rule=None) + arm(
        28_032, [0.99], "robe"
    )
    arms = collect(records)
    frame = forms.tidy(study_of(arms.kept))
    assert list(frame["multiplexing"]) == ["not told apart"]
    assert "| -0.0900 | – | not told apart |" in forms.table(frame)[-3]


def test_latency_mse_takes_raw_values_at_the_middle_budget(many):
    arms, summary = many
    frame = latency_mse.tidy(study_of(arms.kept, summary=summary))
    assert set(frame["budget"].dropna()) == {14_016}
    assert len(frame) == 1 + 1 + 2 * 3 + 3  # exact, shared, two forms of three, one form of three
    one = frame[frame["text"] == "tt_rec"].iloc[0]
    clock = next(
        a.timings[0] for a in arms.kept if a.group == "tt_rec" and a.config["budget"] == 14_016
    )
    assert one["p50_us"] == next(
        row["p50_us"]
        for row in clock.cost["latency"]
        if (row["source"], row["batch"]) == ("values", 256)
    )
    assert frame["front"].iloc[0]
    best = frame.loc[frame["mse"].idxmin()]
    assert best["front"]


def test_ranks_stand_for_studies_of_many_strategies(many, small):
    assert rank_tables(small[1]) == []
    lines = rank_tables(many[1])
    assert lines[3] == "95 % intervals: corrected resampled t."
    assert "7.0 kB (1/32): test MSE | rank | total |" in lines[5]
    assert lines[10].startswith("| *biased matrix factorisation* | *0.")
    assert re.match(
        r"\| robe separate \(sqrt\) \| 0\.\S+ \[.*?\] \| 1 \| 6\.9 kB \| 0\.", lines[11]
    )
    assert lines[-1].startswith("| collisionless (no budget) | 0.")


@pytest.mark.parametrize("module", [table_size, pareto, memory, methods])
def test_nothing_to_draw_is_an_empty_frame(module):
    assert module.tidy(study_of()).empty


def test_nothing_to_draw_in_latency_training_and_allocation():
    assert latency.tidy(study_of()).empty
    assert training.tidy(study_of()).empty
    assert forms.tidy(study_of()).empty
    assert latency_mse.tidy(study_of()).empty
    assert allocation.tidy(study_of()).empty


@pytest.mark.parametrize(
    ("low", "high", "shown"),
    [
        (3_400, 224_000, ["5.0 kB", "10 kB", "20 kB", "50 kB", "100 kB", "200 kB"]),
        (48_000, 251_000, ["50 kB", "60 kB", "80 kB", "100 kB", "150 kB", "200 kB"]),
        (50_900, 54_100, ["51 kB", "52 kB", "53 kB", "54 kB"]),
        (50, 2e14, ["100 B", "10 kB", "1.0 MB", "100 MB", "10 GB", "1.0 TB", "100 TB"]),
    ],
)
def test_a_logarithmic_axis_has_round_numbers_however_long_it_is(low, high, shown):
    _, grid = style.canvas(1, 1, 5, 4)
    axes = grid[0, 0]
    axes.plot([low, high], [1, 2])
    axes.margins(x=0)
    style.log_axis(axes, bytes_text)
    assert [label.get_text() for label in axes.get_xticklabels()] == shown
    assert len(axes.get_xticks(minor=True)) == 0


def test_too_many_lines_leave_each_strategy_its_best_on_validation():
    frame = pd.DataFrame(
        {
            "study": "s",
            "dataset": "d",
            "features": "f",
            "split": "r",
            "head": "mlp",
            "phase": "all",
            "task": "regression",
            "setting": "",
            "budget": 1,
            "label": ["a 1", "a 2", "b 1"],
            "group": ["a", "a", "b"],
            "val_mse_mean": [0.9, 0.8, 0.7],
            "is_anchor": False,
        }
    )
    assert list(choose.lines(frame)["line"]) == ["a 1", "a 2", "b 1"]
    assert list(choose.lines(frame, most=2)["label"]) == ["a 2", "b 1"]
    assert list(choose.lines(frame, most=2)["line"]) == ["a", "b"]


def test_forty_strategies_look_different_and_the_order_given_does_not_matter():
    names = [f"method_{n:02}" for n in range(40)]
    looks = style.looks([(name, name) for name in names])
    assert len({(look.color, look.marker) for look in looks.values()}) == 40
    assert looks == style.looks([(name, name) for name in reversed(names)])


def test_a_strategy_has_the_look_of_its_family_whatever_else_there_is():
    members = tuple(FAMILIES.values())
    names = [name for family in members for name in family]
    with style.families(members):
        every = style.looks([(name, name) for name in names])
        few = style.looks([("unified 1×16", "unified"), ("mine 2×8", "mine")], every_group=["robe"])
        forms = style.looks([(f"robe {form}", f"robe {form}") for form in ("separate", "exact")])
    assert len({(look.color, look.marker) for look in every.values()}) == len(names)
    for family in members:
        assert len({every[name].color for name in family}) == 1
    assert len({every[family[0]].color for family in members}) == len(members)
    assert few["unified"] == few["unified 1×16"] == every["unified"]
    assert few["mine"].color == style.ADDED
    assert few["robe"] == every["robe"]
    assert forms["robe separate"].dash != forms["robe exact"].dash
    assert forms["robe separate"].color == every["robe"].color


@pytest.mark.parametrize(("joined", "shown"), [(False, 40), (True, 14)])
def test_of_points_that_nothing_joins_all_are_drawn(joined, shown):
    frame = pd.DataFrame({"x": range(40), "y": range(40), "hollow": False, "label": "a"})
    _, grid = style.canvas(1, 1, 3, 3)
    (axes,) = grid.flat
    style.points(axes, frame, "x", "y", style.form_look("separate"), joined=joined)
    marks = axes.lines[-1]
    assert len(range(0, 40, marks.get_markevery() or 1)) == shown


def test_every_strategy_has_one_family():
    counts = Counter(name for family in FAMILIES.values() for name in family)
    assert set(counts) == set(STRATEGIES)
    assert set(counts.values()) == {1}


def test_names_along_a_column_keep_their_order_and_their_distance():
    places = placing.spread([1.0, 1.1, 5.0, 1.05], gap=1.0, low=0.0, high=10.0)
    assert places == pytest.approx([0.05, 2.05, 5.0, 1.05])
    assert placing.spread([9.9, 9.8], 1.0, 0.0, 10.0) == pytest.approx([10.0, 9.0])
    assert placing.spread([], 1.0, 0.0, 1.0) == []


def test_names_around_points_do_not_overlap_and_the_first_have_precedence():
    points = [(50.0 + x, 50.0 + y) for x in (0, 6, 12) for y in (0, 6, 12)]
    boxes = placing.around(points, ["name"] * 9, 7, placing.Box(0, 0, 100, 100), [False] * 9)
    found = [box for box in boxes if box]
    assert boxes[0] is not None
    assert len(found) >= 4
    assert not any(a.overlaps(b) for a, b in combinations(found, 2))
    assert all(box.inside(placing.Box(0, 0, 100, 100)) for box in found)


def test_a_wide_figure_is_drawn_narrower_so_that_its_letters_are_not_shrunk(tmp_path):
    with style.themed():
        figure, grid = style.canvas(1, 2, 5.6, 4.0)
        title = "user_id,movie_id,gender,age (planted-one-feature, random split, linear head)"
        for axes in grid.flat:
            axes.set_title(title)
        _, svg = picture.save(figure, tmp_path, "wide")
    width = float(re.search(r'viewBox="0 0 ([\d.]+)', svg.read_text())[1])
    assert 600 < width <= 0.75 * 1_092  # points
    assert grid[0, 1].get_title(loc="left") == (
        "user_id,movie_id,gender,age (planted-one-\nfeature, random split, linear head)"
    )


def test_a_figure_whose_texts_are_wider_than_a_page_is_drawn(tmp_path):
    with style.themed():
        figure, grid = style.canvas(1, 1, 5.6, 4.0)
        grid[0, 0].legend([grid[0, 0].plot([0, 1])[0]], ["label" * 80], loc="lower right")
        png, _ = picture.save(figure, tmp_path, "wider")
    assert figure.get_figwidth() == picture.NARROWEST
    assert png.stat().st_size > 0


# Bars whose numbers stand at their ends.
WITHOUT_HOVER = {"importances"}


DRAWN = [section for section in SECTIONS if section.draw is not None]


@pytest.mark.parametrize("section", DRAWN, ids=lambda section: section.name)
def test_the_marks_of_every_section_tell_on_hover(section):
    code = inspect.getsource(inspect.getmodule(section.tidy))
    tells = re.search(r"\b(hover|difference_line|style\.points|style\.pale)\(", code) is not None
    assert tells is (section.name not in WITHOUT_HOVER)


def test_hover_tells_a_difference_with_its_interval_and_a_rank_correlation():
    figure, axes = plt.subplots()
    frame = pd.DataFrame(
        {"label": ["int4"], "difference": [-0.01], "low": [-0.02], "high": [-0.005], "x": [1]}
    )
    hover(axes, of_difference(frame), "x", "difference")
    taus = pd.DataFrame({"setting": ["sgd"], "tau": [0.9], "tau_low": [0.8], "tau_high": [0.95]})
    hover(axes, taus.assign(y=0), "tau", "y")
    texts = [url for area in axes.collections for url in area.get_urls()]
    assert texts == [
        "point:int4\ndifference: -0.0100 [-0.0200, -0.0050]",
        "point:setting: sgd\nKendall τ: 0.9000 [0.8000, 0.9500]",
    ]
    plt.close(figure)

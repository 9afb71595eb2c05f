"""Anchors that are arms in the report: on every front, chosen by nobody, and no strategies; and
both totals of an arm."""

from dataclasses import replace
from itertools import chain

import fake_records as fake
import pytest
from study_data import study_of

from ue_bench.errors import BenchError
from ue_bench.report import build
from ue_bench.report.evidence import power
from ue_bench.report.evidence.arms import collect
from ue_bench.report.evidence.compare import compare, sentence
from ue_bench.report.evidence.ranks import ranked
from ue_bench.report.evidence.summary import summarise
from ue_bench.report.evidence.verdict import verdicts
from ue_bench.report.figures.draw import study_data
from ue_bench.report.figures.sections.every_study import latency, latency_mse, pareto, table_size
from ue_bench.report.figures.sections.one_study import heads, methods, splits
from ue_bench.report.page import abstract, conclusion, limits
from ue_bench.report.page.byte_ranks import byte_ranks
from ue_bench.report.page.rank_tables import rank_tables
from ue_bench.report.page.tables import tables

RANKS = (0, 1, 2, 4, 8)
LABELS = ["bias", *(f"matrix_factorisation rank {rank}" for rank in RANKS[1:])]


def anchors(seeds=3, **asked):
    records = []
    for rank in RANKS:
        for seed in range(seeds):
            mse = 0.9 - 0.006 * rank + 0.002 * seed
            records.append(fake.anchor(rank, seed, mse=mse, **asked))
    return records


def strategies(**asked):
    """A hashed table that is small, and an exact one that needs a vocabulary."""
    return chain(
        fake.arm([0.90, 0.901, 0.902], "unified", 28_032, **asked),
        fake.arm([0.92, 0.921, 0.922], "per_feature", 28_032, **asked),
        fake.arm([0.85, 0.851, 0.852], "collisionless", None, **asked),
    )


@pytest.fixture(scope="module")
def study():
    return study_of(collect([*strategies(), *anchors()]).kept)


# ---- arms


def test_each_rank_is_an_arm_and_a_group_of_its_own(study):
    own = study.summary[study.summary["is_anchor"]]
    assert sorted(own["label"]) == sorted(LABELS) == sorted(own["group"])
    assert own["n"].tolist() == [3] * 5
    assert own["budget"].isna().all()
    tables_of = study.summary[~study.summary["is_anchor"]]
    assert set(own["exact_table_bytes"]) == set(tables_of["exact_table_bytes"])
    assert own["compression"].between(2, 25).all()


def test_the_bias_model_is_not_asked_whether_it_beats_itself():
    records = []
    for record in anchors():
        quality = dict(record.quality)
        if record.found["rank"] == 0:
            quality["anchors"] = quality["anchors"] | {"bias": {"test_mse": quality["test_mse"]}}
        records.append(replace(record, quality=quality))
    summary = summarise(collect(records).kept).set_index("label")
    assert summary.loc["bias", "beats_bias"] is None
    assert summary.loc["matrix_factorisation rank 8", "beats_bias"] is True


def test_no_search_is_missed_for_an_anchor():
    recipes = [{"lr": 1e-3}, {"lr": 4e-3}]
    searched = []
    for recipe in recipes:
        asked = fake.config("unified", budget=28_032, **recipe)
        trial = {"number": 0, "sampler": "tpe", "total": None, "objectives": []}
        trial["varies"] = ["lr"]
        searched.append(fake.make(asked, phase="search", trial=trial))
    fresh = [
        fake.make(fake.config("unified", budget=28_032, seed=seed, lr=1e-3), phase="confirm")
        for seed in (100, 101)
    ]
    beside = [fake.anchor(4, seed, phase="confirm") for seed in (100, 101)]
    arms = collect([*searched, *fresh, *beside])
    assert len(arms.kept) == 2
    assert not arms.refused
    assert not arms.uneven


def test_the_recipe_of_an_anchor_has_no_effect_and_its_data_have():
    trained = [*strategies(epochs=7, lr=0.01)]
    arms = collect([*trained, *anchors(epochs=40)])
    assert len(arms.kept) == 8
    assert not arms.refused
    many = collect([*fake.arm([0.9, 0.91], epochs=7), *anchors(seeds=2, epochs=40)])
    assert not many.refused, "and many anchors decide nothing for the strategies"
    other = collect([*trained, *anchors(dataset="ml-1m", seeds=3)])
    assert {arm.comparison.dataset for arm in other.kept} == {"ml-100k", "ml-1m"}
    odd = []
    for record in anchors():
        cards = record.found["cardinalities"] | {"age": 60}
        odd.append(replace(record, found=record.found | {"cardinalities": cards}))
    refused = collect([*trained, *fake.arm([0.8, 0.81, 0.82], "robe", epochs=7, lr=0.01), *odd])
    assert refused.refused


def test_strategies_compete_without_anchors(study):
    compared = verdicts(study.arms, study.summary)
    assert set(compared["group"]) == {"unified", "per_feature"}
    without = study_of([arm for arm in study.arms if not arm.is_anchor])
    noise = power.tidy(study.arms, study.summary)["sd"].item()
    assert noise == power.tidy(without.arms, without.summary)["sd"].item()
    said = "\n".join(limits.lines(study.summary, compared, []))
    assert "of 3 arms do not beat biased matrix factorisation" in said


def test_a_comparison_of_few_strategies_is_not_ranked_because_of_anchors():
    records = list(anchors())
    names = [f"method_{number}" for number in range(6)]
    for name in names:
        records += fake.arm([0.9, 0.91, 0.92], name)
    assert ranked(summarise(collect(records).kept)).empty
    records += fake.arm([0.9, 0.91, 0.92], "method_6")
    summary = summarise(collect(records).kept)
    rows = [line for line in rank_tables(summary) if line.startswith("| matrix_fact")]
    assert [row.split(" | ")[0] for row in rows] == [f"| {label}" for label in LABELS[1:]]


# ---- figures


def test_every_anchor_is_on_both_panels_of_the_front(study):
    frame = pareto.tidy(study)
    assert set(frame["vocabulary"]) == {"dictionary", "key-free"}
    for vocabulary, part in frame[frame["is_anchor"]].groupby("vocabulary"):
        assert sorted(part["label"]) == sorted(LABELS), vocabulary
        assert part["named"].all()
    exact = frame[frame["group"] == "collisionless"].set_index("vocabulary")["bytes"]
    row = study.summary.set_index("group").loc["collisionless"]
    assert exact["dictionary"] == row["total_bytes"] == 224_256 + row["vocabulary_bytes"]
    assert exact["key-free"] == 224_256 + row["vocabulary_floor_bytes"]
    hashed = frame[frame["group"] == "unified"]
    assert hashed["bytes"].nunique() == 1, "a hashed table holds no vocabulary"


def test_each_total_has_a_front_of_its_own():
    """With a dictionary of 19 kB, rank 1 (40 kB) is larger than the hashed table; without keys
    (24 kB) it is smaller, and better."""
    hashed = fake.arm([0.89, 0.891, 0.892], "unified", 28_032)
    own = [fake.anchor(1, seed, mse=0.88) for seed in range(3)]
    frame = pareto.tidy(study_of(collect([*hashed, *own]).kept)).set_index(["vocabulary", "group"])
    assert frame.loc[("dictionary", "unified"), "front"]
    assert not frame.loc[("key-free", "unified"), "front"]
    assert frame.loc[("key-free", LABELS[1]), "front"]


def test_without_any_vocabulary_there_is_one_panel():
    runs = [
        *fake.arm([0.9, 0.91], "unified", 28_032),
        *fake.arm([0.92, 0.93], "unified", 14_016),
    ]
    frame = pareto.tidy(study_of(collect(runs).kept))
    assert set(frame["vocabulary"]) == {"dictionary"}


def test_records_without_the_least_of_a_vocabulary_keep_their_panel():
    records = []
    for record in strategies():
        cost = {k: v for k, v in record.cost.items() if k != "vocabulary_floor_bytes"}
        records.append(replace(record, cost=cost))
    frame = pareto.tidy(study_of(collect(records).kept))
    assert set(frame["vocabulary"]) == {"dictionary"}
    assert len(frame) == 3


def test_anchors_are_points_of_their_own_in_the_figures(study):
    sizes = table_size.tidy(study).set_index("label")
    assert set(sizes.loc[LABELS, "kind"]) == {"anchor"}
    assert sizes.loc["bias", "x"] == 4 * (1 + 943 + 1682)
    assert (sizes["kind"] == "band").sum() == 1
    figure = table_size.draw(table_size.tidy(study), study)
    assert {text.get_text() for text in figure.axes[0].texts} >= {"bias", "rank 1", "8"}
    entries = [text.get_text() for text in figure.legends[0].get_texts()]
    assert entries.count("bias model, and matrix factorisation by rank") == 1


def test_latency_has_three_panels_and_a_table_with_the_cache(study):
    frame = latency.tidy(study)
    assert set(frame["source"]) == set(latency.SOURCES.values())
    figure = latency.draw(frame, study)
    assert len(figure.axes) == 3
    lines = latency.table(frame)
    assert lines[0].endswith("| from codes: p50 | cache of slots |")
    exact = next(line for line in lines if "collisionless" in line)
    assert exact.endswith("| 56 kB |")
    assert sum("rank" in line for line in lines) == 4
    assert all(line.count("|") == lines[0].count("|") for line in lines)


def test_a_study_of_anchors_alone_has_a_report(tmp_path):
    fake.write_all(tmp_path / "results", iter(anchors()))
    built = build(tmp_path / "results", tmp_path / "report")
    text = built.page.read_text()
    assert "matrix_factorisation rank 8" in text


@pytest.mark.slow
def test_a_report_shows_them_everywhere(tmp_path):
    asked = [*fake.study_grid(2), *fake.study_anchors(2)]
    fake.write_all(tmp_path / "results", iter(asked))
    built = build(tmp_path / "results", tmp_path / "report")
    assert not built.refused
    assert not built.skipped
    study = study_data(built.evidence, "fake")
    assert {study.looks[label].color for label in LABELS} == {"#404040"}
    colors = {study.looks[group].color for group in ("unified", "per_feature", "int8")}
    assert len(colors) == 3
    assert not latency_mse.tidy(study).empty


def test_heads_and_splits_judge_strategies_alone():
    under_heads = []
    on_splits = []
    for head in ("mlp", "dcn"):
        under_heads += [*strategies(head=head), *anchors(head=head)]
    frame = heads.tidy(study_of(collect(under_heads).kept))
    assert set(frame["arms"]) == {3}
    for split in ("random", "user_temporal"):
        on_splits += [*strategies(split=split), *anchors(split=split)]
    frame = splits.tidy(study_of(collect(on_splits).kept))
    assert set(frame["judged"]) == {3}
    assert set(frame["pairs"]) == {3}
    assert set(LABELS) <= set(frame["label"])
    worse = frame["mse"] >= frame["anchor_bias"]
    assert list(frame["hollow"]) == list(worse & ~frame["is_anchor"])


def test_the_methods_stand_beside_them():
    records = anchors()
    for number in range(5):
        for budget in (14_016, 28_032):
            records += fake.arm([0.9 - 0.01 * number] * 3, f"method_{number}", budget=budget)
    study = study_of(collect(records).kept)
    frame = methods.tidy(study)
    figure = methods.draw(frame, study)
    titles = {axes.get_title() for axes in figure.axes if axes.get_visible()}
    assert titles == {f"method_{number}" for number in range(5)}


# ---- texts


def test_both_totals_are_told(study):
    compared = verdicts(study.arms, study.summary)
    lines = tables(study.summary)
    exact = next(line for line in lines if line.startswith("| collisionless"))
    assert "| 263 kB / 229 kB |" in exact
    assert "(56 kB) |" in exact, "and the cache beside the latency from codes"
    hashed = next(line for line in lines if line.startswith("| unified"))
    assert "| 27 kB |" in hashed
    said = conclusion.sentences(study.summary, compared)
    fronts = [line for line in said if "on the Pareto front" in line]
    assert "(vocabulary: dictionary)" in fronts[0]
    assert "(vocabulary: key-free)" in fronts[1]
    anchor_line = next(line for line in said if line.startswith("- anchors, which have no table"))
    assert "bias 0.9020" in anchor_line
    without = next(line for line in said if line.startswith("- without a budget"))
    assert "matrix" not in without
    price = abstract.sentences(study.summary, compared)[-2]
    assert "collisionless 16 reaches 0.8510" in price
    assert "(229 kB without stored keys)" in price
    assert "without any table, matrix_factorisation rank 8 reaches" in price


def test_the_best_anchor_is_chosen_on_validation():
    records = []
    for record in anchors():
        shift = 0.1 if record.found["rank"] == 8 else 0.0
        quality = record.quality | {"val_mse": record.quality["val_mse"] + shift}
        records.append(replace(record, quality=quality))
    kept = collect([*strategies(), *records]).kept
    summary = summarise(kept)
    price = abstract.sentences(summary, verdicts(kept, summary))[-2]
    assert "matrix_factorisation rank 4 reaches" in price


# ---- equal bytes in all


def equal_bytes():
    """A hashed table at three budgets, and an exact one of few numbers with a vocabulary."""
    records = []
    for budget, mse in ((14_016, 0.90), (28_032, 0.88), (56_064, 0.87)):
        records += fake.arm([mse, mse + 0.001, mse + 0.002], "unified", budget)
    records += fake.arm([0.86, 0.861, 0.862], "int8", 14_016, regions="exact")
    return records


def with_vocabulary(records, dictionary, floor):
    for record in records:
        if record.config.strategy != "int8":
            yield record
            continue
        cost = record.cost | {"auxiliary_bytes": 0, "vocabulary_bytes": dictionary}
        cost |= {"vocabulary_floor_bytes": floor}
        cost["total_bytes"] = cost["table_bytes"] + dictionary
        yield replace(record, cost=cost)


def test_at_equal_bytes_in_all_the_other_takes_no_more():
    records = list(with_vocabulary(equal_bytes(), dictionary=30_000, floor=3_000))
    (at_budget,) = compare(records, "int8", "unified")
    assert (at_budget["bytes"], at_budget["other_bytes"]) == (14_016, 14_016)
    (row,) = compare(records, "int8", "unified", "dictionary")
    assert (row["bytes"], row["other_bytes"]) == (43_735, 27_471)
    assert row["difference"] == pytest.approx(-0.02)
    assert "44 kB against 27 kB in all (dictionary vocabulary): int8" in sentence(row)
    (row,) = compare(records, "int8", "unified", "key-free")
    assert (row["bytes"], row["other_bytes"]) == (16_735, 13_735)
    assert row["difference"] == pytest.approx(-0.04)
    other_way = compare(records, "unified", "int8", "key-free")
    assert [row["bytes"] for row in other_way] == [27_471, 54_942]


def test_an_anchor_is_compared_at_its_own_bytes():
    records = [*equal_bytes(), *anchors()]
    rows = compare(records, "matrix_factorisation rank 1", "unified", "key-free")
    assert [(row["bytes"], row["other_bytes"]) for row in rows] == [(24_378, 13_735)]
    with pytest.raises(BenchError, match="unknown size 'all'"):
        compare(records, "bias", "unified", "all")
    with pytest.raises(BenchError, match=r"never meet in all bytes \(dictionary\)"):
        compare(records[6:], "bias", "unified", "dictionary")


def test_ranks_by_all_bytes_follow_both_totals():
    records = [*with_vocabulary(equal_bytes(), dictionary=30_000, floor=3_000), *anchors()]
    lines = byte_ranks(summarise(collect(records).kept))
    by_size = {line.split(" | ")[0]: line for line in lines if line.startswith("| ")}
    at_28 = by_size["| 28 kB"]
    dictionary, key_free = at_28.split(" | ")[1:]
    assert dictionary.startswith("1. unified 1×16 0.8810 (27 kB)")
    assert "int8" not in dictionary
    assert key_free.startswith("1. int8 16 0.8610 (17 kB); 2. unified")
    assert "bias" in key_free
    assert byte_ranks(summarise(collect(equal_bytes()[:9]).kept)) == []

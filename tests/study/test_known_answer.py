"""Planted worlds, the claims about them, and strategies broken so that one claim fails."""

import json
import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from click.testing import CliRunner

from ue_bench import strategies
from ue_bench.cli import main
from ue_bench.cli.study_command import _print_verdicts
from ue_bench.cli.verdicts import verdicts_by_study
from ue_bench.config import RunConfig
from ue_bench.data import DATASETS, encode, load, split
from ue_bench.data.synthetic import WORLDS, lost_variance, plant, rows_in_use
from ue_bench.errors import BenchError
from ue_bench.hashing import hash_rows
from ue_bench.record import Record
from ue_bench.report import build
from ue_bench.report.evidence.evidence import Evidence
from ue_bench.report.evidence.known_answer import ALPHA, RULES, Verdict, judge
from ue_bench.report.page.prose import refresh
from ue_bench.strategies import load_plugin
from ue_bench.study import Study, canonical, find, names
from ue_bench.training.assembly import make_spec
from ue_bench.training.resolve import resolve
from ue_bench.training.run_once import run_once

BROKEN = Path(__file__).parents[1] / "helpers" / "broken_strategies.py"
STUDY = find("known-answer")
SCENARIOS = {scenario.name: scenario for scenario in STUDY.scenarios}


@pytest.fixture
def broken():
    before = dict(strategies.STRATEGIES)
    load_plugin(BROKEN)
    yield
    strategies.STRATEGIES.clear()
    strategies.STRATEGIES.update(before)


# ---- the worlds


@pytest.mark.parametrize("name", WORLDS)
def test_a_world_follows_from_its_name(name):
    world, first, again = WORLDS[name], plant(name), plant(name)
    assert first.checksum == again.checksum
    assert first.frames.ratings.equals(again.frames.ratings)
    dataset = load(name)
    assert dataset.checksum == first.checksum
    assert dataset.describe()["users"] == world.users
    assert dataset.ratings.group_by("user_id").len()["len"].unique().to_list() == [
        world.rows // world.users
    ]
    assert encode(
        dataset, dataset.feature_names("wide"), split(dataset, "random", 0)
    ).codes.shape == (world.rows, 10)
    assert DATASETS[name].summary
    assert len({plant(other).checksum for other in WORLDS}) == len(WORLDS)


def test_the_variance_is_what_was_planted():
    """One feature of variance 1 and the noise; within a user the noise alone."""
    world, ratings = WORLDS["planted-one-feature"], load("planted-one-feature").ratings
    assert float(ratings["rating"].var()) == pytest.approx(1 + world.noise_variance, rel=0.02)
    within = ratings.select(
        (pl.col("rating") - pl.col("rating").mean().over("user_id")).pow(2).sum()
    )[0, 0]
    assert within / (world.rows - world.users) == pytest.approx(world.noise_variance, rel=0.05)


def test_a_planted_data_set_has_no_files(tmp_path):
    with pytest.raises(BenchError, match="leave --data-dir"):
        load("planted-noise", tmp_path)
    done = CliRunner().invoke(main, ["data", "--dataset", "planted-noise"])
    assert done.exit_code == 0
    assert "10,000 ratings of 200 items by 500 users" in done.stdout


@pytest.mark.parametrize(("values", "rows"), [(1000, 900), (1000, 300), (50, 400)])
def test_the_share_that_collisions_lose(values, rows):
    """The formula against real hash functions and random effects."""
    random, lost = np.random.default_rng(0), []
    for seed in range(300):
        row = hash_rows(list(map(str, range(values))), [seed], rows)[:, 0].numpy()
        effect = random.standard_normal(values)
        count = np.bincount(row, minlength=rows)
        mean = np.bincount(row, effect, rows) / np.maximum(count, 1)
        lost.append(np.square(effect - mean[row]).mean())
    alone = (1 - 1 / rows) ** (values - 1)
    assert lost_variance(values, rows) == pytest.approx(
        np.mean(lost), abs=4 * np.std(lost) / math.sqrt(len(lost))
    )
    assert (1 - alone) / 2 <= lost_variance(values, rows) <= 1 - alone


@pytest.mark.parametrize(("values", "rows"), [(4000, 3600), (4000, 1200), (50, 400)])
def test_the_rows_that_are_in_use(values, rows):
    """The formula against real hash functions."""
    texts = list(map(str, range(values)))
    in_use = [len(hash_rows(texts, [seed], rows).unique()) for seed in range(100)]
    assert rows_in_use(values, rows) == pytest.approx(
        np.mean(in_use), abs=4 * np.std(in_use) / math.sqrt(len(in_use))
    )


def test_the_control_has_one_feature_under_two_names():
    """The same groups of rows, and other rows of the table."""
    first, second = SCENARIOS["equal-arms"].arms.values()
    assert replace(first, features=second.features) == second
    codes = []
    slots = []
    for config in (first, second):
        dataset = load(config.dataset)
        parts = split(dataset, "random", 0)
        encoded = encode(dataset, dataset.feature_names(config.features), parts)
        strategy = strategies.build(make_spec(resolve(config), encoded.features))
        codes.append(encoded.codes[:, 0])
        slots.append(strategy.locate(0, encoded.features[0].values)[codes[-1]])
    assert len(set(zip(*codes, strict=True))) == len(set(codes[0])) == len(set(codes[1])) == 1000
    assert (slots[0] != slots[1]).float().mean() > 0.99


def test_rare_movies_are_rare_and_rated_lower():
    world, ratings = WORLDS["planted-rare-values"], load("planted-rare-values").ratings
    frequent = ratings.filter(pl.col("movie_id") <= world.frequent)
    assert len(frequent) == pytest.approx(world.rows / 2, rel=0.02)
    assert frequent["movie_id"].n_unique() == world.frequent
    assert float(ratings["rating"].var()) == pytest.approx(1 + world.noise_variance, rel=0.03)


def test_no_value_shares_a_row_where_none_may():
    scenario = SCENARIOS["no-collisions"]
    for config in map(resolve, scenario.arms.values()):
        dataset = load(config.dataset)
        encoded = encode(
            dataset, dataset.feature_names(config.features), split(dataset, "random", 0)
        )
        spec = make_spec(config, encoded.features)
        strategy = strategies.build(spec)
        slots = [
            strategy.locate(number, feature.values).flatten().tolist()
            for number, feature in enumerate(encoded.features)
        ]
        for own, feature in zip(slots, encoded.features, strict=True):
            assert len(set(own)) == feature.cardinality
        if config.strategy != "low_dim_exact":  # which has a table a feature
            assert len(set().union(*slots)) == sum(map(len, slots))


# ---- the judge


def runs(values, mean=1.0, hash_seeds=None):
    """Records of one arm with these test MSEs, one a seed."""
    found = []
    for seed, value in enumerate(values):
        seeds = dict.fromkeys(("hash_seed", "init_seed", "batch_seed", "split_seed"), seed)
        if hash_seeds:
            seeds = dict.fromkeys(seeds, 0) | {"hash_seed": hash_seeds[seed]}
        quality = {"test_mse": value, "anchors": {"mean": {"test_mse": mean + seed / 100}}}
        config = RunConfig(**seeds)
        made = Record(run_id=f"{seed}", study="s", phase="grid", config=config, quality=quality)
        found.append(replace(made, found={"n_rows": {"train": 80, "val": 10, "test": 10}}))
    return found


NEAR = (1.01, 1.02, 0.99, 1.00)
FAR = (2.01, 2.03, 2.00, 1.98)


@pytest.mark.parametrize(
    ("rule", "limits", "first", "second", "ok"),
    [
        ("equal", (0.1, 0.9, 1.1), NEAR, NEAR[::-1], True),
        ("equal", (0.1, 0.9, 1.1), NEAR, FAR, False),
        ("equal", (0.01, 0.9, 1.1), NEAR, NEAR[::-1], False),  # the interval is wider than that
        ("equal", (0.1, 0.5, 0.9), NEAR, NEAR[::-1], False),  # equal, and not at the noise
        ("first_wins", (), NEAR, FAR, True),
        ("first_wins", (), FAR, NEAR, False),
        ("first_wins", (), NEAR, (1.03, 1.01, 0.99, 1.01), False),
        ("no_difference", (0.1,), NEAR, NEAR[::-1], True),
        ("no_difference", (0.01,), NEAR, NEAR[::-1], False),  # the interval is wider than that
        ("no_difference", (1.1,), NEAR, FAR, False),
        ("no_difference", (0.1,), NEAR, NEAR, False),  # one arm twice
        ("margin", (0.9, 1.1), NEAR, FAR, True),
        ("margin", (1.1, 1.3), NEAR, FAR, False),
        ("margin", (0.9, 1.1), FAR, NEAR, False),
        ("mean_holds", (), NEAR, FAR, True),
        ("mean_holds", (), NEAR, (0.51, 0.52, 0.53, 0.51), False),
    ],
)
def test_the_rules(rule, limits, first, second, ok):
    found, verdict = judge(rule, limits, 4, {"a": runs(first), "b": runs(second)})
    assert verdict is ok
    assert "MSE" in found or "mean" in found


def test_what_is_missing_or_deaf_to_its_hash_seed_fails():
    assert judge("first_wins", (), 5, {"a": runs(NEAR), "b": runs(FAR)}) == (
        "no answer: a has 4 of 5 runs",
        False,
    )
    assert judge("first_wins", (), 4, {"a": [], "b": runs(FAR)})[1] is False
    deaf = runs((1.0, 1.0), hash_seeds=(0, 1))
    found, ok = judge(
        "margin", (0.5, 1.5), 1, {"a": deaf, "b": runs((2.0, 2.1), hash_seeds=(0, 1))}
    )
    assert (found, ok) == ("a gives the same numbers with another hash seed", False)
    assert (
        judge(
            "margin", (0.5, 1.5), 1, {"a": runs((1.0, 1.1), hash_seeds=(0, 1)), "b": runs((2.0,))}
        )[1]
        is True
    )


def test_the_study_declares_what_can_be_judged():
    assert [scenario.name for scenario in STUDY.scenarios] == list(SCENARIOS)
    for scenario in STUDY.scenarios:
        assert scenario.rule in RULES
        assert len(f"pass  {scenario.name}: {scenario.expected}") <= 80
        assert {arm.dataset for arm in scenario.arms.values()} <= set(WORLDS)
        assert scenario.seeds >= 5
    lookups = SCENARIOS["second-lookup"].arms.values()
    assert {sum(arm.lookups.values()) for arm in lookups} == {2}
    assert ALPHA < 0.05
    assert "known-answer" in names()
    assert canonical("known_answer") == "known-answer"
    assert find("known_answer") is STUDY


def test_the_claims_of_a_study_are_a_block_of_a_document():
    scenario = SCENARIOS["second-lookup"]
    records = []
    for number, arm in enumerate(scenario.arms.values()):
        for seed in range(scenario.seeds):
            config = resolve(replace(arm, measure="quality").with_seed(seed))
            quality = {"test_mse": 0.3 + number / 2 + seed / 1000}
            records.append(
                Record(
                    run_id=config.run_id,
                    study="known-answer",
                    phase="grid",
                    config=config,
                    found={"n_rows": {"train": 80, "val": 10, "test": 10}},
                    quality=quality,
                )
            )
    verdicts = verdicts_by_study(records)
    found = {verdict.scenario: verdict for verdict in verdicts["known-answer"]}
    assert list(found) == list(SCENARIOS)
    assert found["second-lookup"].ok
    assert found["second-lookup"].found.startswith("MSE 0.3045; nearest: ")
    assert found["low-rank"].found == "no answer: low_dim_exact has 0 of 10 runs"
    page = "<!-- ue-bench: scenarios known-answer -->\n<!-- end -->"
    lines = refresh(page, Evidence([]), verdicts).splitlines()
    assert len(lines) == 4 + len(SCENARIOS)
    expected = f"| second-lookup | {scenario.expected} | {found['second-lookup'].found} | pass |"
    assert expected in lines
    without_records = refresh(page, Evidence([]), verdicts_by_study([]))
    assert "| no answer: collisionless has 0 of 10 runs | **FAIL** |" in without_records
    with pytest.raises(BenchError, match="names what no record has"):
        refresh(page, Evidence([]))


def test_a_planted_study_keeps_its_data_sets(tmp_path):
    done = CliRunner().invoke(
        main, ["study", "known-answer", "--dataset", "ml-100k", "--results", str(tmp_path)]
    )
    assert done.exit_code == 2
    assert "leave --dataset ml-100k out" in done.stderr


# ---- strategies broken on purpose


def small(name, strategy, arms, seeds, **changes):
    """Run a scenario with few arms and seeds, the arm `unified` given to another strategy."""
    scenario = SCENARIOS[name]
    chosen = {arm: scenario.arms[arm] for arm in arms}
    chosen["unified"] = replace(chosen["unified"], strategy=strategy)
    found = {}
    for arm, config in chosen.items():
        configs = [
            replace(config, measure="quality", **changes).with_seed(seed) for seed in range(seeds)
        ]
        configs += [replace(configs[0], hash_seed=1)] * scenario.rehash
        found[arm] = [run_once(resolve(config)) for config in configs]
    return judge(scenario.rule, scenario.limits, seeds, found)


@pytest.mark.parametrize(("strategy", "ok"), [("unified", True), ("loses_a_feature", False)])
def test_a_lost_feature_is_noticed(broken, strategy, ok):
    assert (
        small("no-collisions", strategy, ("collisionless", "unified"), seeds=3, epochs=7)[1] is ok
    )


@pytest.mark.parametrize(("strategy", "deaf"), [("unified", False), ("ignores_its_seed", True)])
def test_an_ignored_hash_seed_is_noticed(broken, strategy, deaf):
    found, ok = small(
        "shared-table", strategy, ("unified", "per_feature, equal"), seeds=1, epochs=1
    )
    assert (found == "unified gives the same numbers with another hash seed") is deaf
    assert not (deaf and ok)


@pytest.mark.parametrize(("strategy", "ok"), [("unified", True), ("peeks", False)])
def test_a_peek_at_the_target_is_noticed(broken, strategy, ok):
    assert small("pure-noise", strategy, ("unified",), seeds=5, epochs=3)[1] is ok


SWAPS = {
    "no-collisions": "loses_a_feature",
    "shared-table": "ignores_its_seed",
    "pure-noise": "peeks",
}


@pytest.mark.slow
@pytest.mark.parametrize("name", SWAPS)
def test_the_command_fails_with_a_broken_plugin(broken, monkeypatch, tmp_path, name):
    scenario = SCENARIOS[name]
    arms = {**scenario.arms, "unified": replace(scenario.arms["unified"], strategy=SWAPS[name])}
    scenario = replace(scenario, arms=arms)
    study = Study("is it noticed?", scenario.grids, latency=False, scenarios=(scenario,))
    monkeypatch.setattr("ue_bench.study.find", lambda name: study)
    words = ["study", "known-answer", "--plugin", BROKEN, "--results", tmp_path, "--json"]
    done = CliRunner().invoke(main, [str(word) for word in words])
    assert done.exit_code == 1
    (row,) = json.loads(done.stdout)
    assert (row["scenario"], row["ok"]) == (name, False)


def test_long_verdicts_are_wrapped_under_their_names(capsys):
    words = [f"{number}-th" for number in range(60)]
    verdicts = [
        Verdict("long", " ".join(words), " ".join(reversed(words)), ok=True),
        Verdict("short", "it is equal", "0 differ", ok=False),
    ]
    _print_verdicts(verdicts)
    lines = capsys.readouterr().out.splitlines()
    assert max(map(len, lines)) <= 80
    assert lines[-2:] == ["FAIL  short: it is equal", "      found: 0 differ"]
    assert lines[0].startswith("pass  long: 0-th 1-th ")
    first_found = next(number for number, line in enumerate(lines) if "found:" in line)
    assert lines[first_found].startswith("      found: 59-th 58-th ")
    for line in (*lines[1:first_found], *lines[first_found + 1 : -2]):
        assert line.startswith("      ")
        assert line[6] != " "
    expected = " ".join(line.strip() for line in lines[:first_found])
    assert expected == f"pass  long: {' '.join(words)}"


@pytest.mark.slow
@pytest.mark.parametrize("seed", [0, 1, 2])
def test_every_scenario_passes_and_is_reported(tmp_path, seed):
    done = CliRunner().invoke(
        main, ["study", "known-answer", "--seed", str(seed), "--results", str(tmp_path), "--json"]
    )
    assert done.exit_code == 0, done.output
    rows = json.loads(done.stdout)
    assert [row["scenario"] for row in rows] == list(SCENARIOS)
    assert all(set(row) == {"scenario", "expected", "found", "ok"} and row["ok"] for row in rows)
    again = CliRunner().invoke(
        main, ["study", "known_answer", "--seed", str(seed), "--results", str(tmp_path)]
    )
    assert again.exit_code == 0
    assert "0 runs made" in again.stdout
    verdict_lines = again.stdout[again.stdout.index("pass  ") :].splitlines()
    assert max(map(len, verdict_lines)) <= 80
    assert build(tmp_path, tmp_path / "report").page.is_file()

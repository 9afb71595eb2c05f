"""`ue-bench advise` in worlds whose answer is known, within its time, and interrupted.

Runs are those of `fake_advice`, on its clock; the data and the sizes are real.
"""

import json
import re
import shlex
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from click.testing import CliRunner
from fake_advice import ANCHORS, Killed, World

from ue_bench import advise as room
from ue_bench import record
from ue_bench.advise import ask, rounds
from ue_bench.advise.candidates import (
    EXACT,
    FIRST,
    FORMS,
    STREAM_FORMS,
    all_forms,
    config_of,
    find_candidates,
    one_more,
    smaller,
)
from ue_bench.advise.sizes import LARGEST, Sized, Sizes
from ue_bench.advise.text import WIDTH
from ue_bench.cli import main
from ue_bench.config import RunConfig
from ue_bench.errors import BenchError
from ue_bench.report.evidence.arms import collect
from ue_bench.strategies import STRATEGIES, load_plugin
from ue_bench.strategies.vocabulary import Vocabulary
from ue_bench.training.assembly import make_model, make_spec
from ue_bench.training.model import sizes
from ue_bench.training.run_data import encoded_of

BASE = RunConfig(dataset="planted-additive")
MEMORY = 20_000  # bytes: int8 fits, the exact table of 16 numbers does not
HASHED = ("unified", "per_feature", "hashed_net", "robe", "compositional", "multi_hash_sum")


def question(
    memory: int = MEMORY, minutes: float = 10, latency: float | None = None, base: RunConfig = BASE
) -> room.Question:
    return room.Question.of(base, memory, latency, minutes, None)


def by_size(best: str) -> Callable[[RunConfig], float]:
    """One strategy leads at all sizes, and smaller tables are worse."""

    def mse(config: RunConfig) -> float:
        size = config.budget or 60_000
        return 0.8 + 0.05 * (config.strategy != best) + 0.02 * (20_000 / size - 1)

    return mse


@pytest.fixture
def answer(quick_results, monkeypatch):
    """Answers a question in a world, with as many workers as told."""

    def answered(world: World, asked: room.Question, workers: int = 1) -> dict:
        monkeypatch.setattr(rounds, "Workers", world.workers)
        return world.ask(asked, quick_results, workers)

    return answered


@pytest.fixture(scope="module")
def usual(tmp_path_factory):
    """The answer where the shared table leads, and the folder of its records."""
    results = tmp_path_factory.mktemp("usual")
    world = World(by_size("unified"))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(rounds, "Workers", world.workers)
        return world.ask(question(), results), results


def records_of(results: Path, asked: room.Question) -> dict[str, record.Record]:
    return {found.run_id: found for found in record.load(results, asked.name)[0]}


# ---- sizes


@pytest.mark.parametrize("memory", [800, 5_000, 12_000, 20_000, 60_000, 10**6])
def test_every_candidate_keeps_the_memory_on_every_split(memory):
    asked = question(memory)
    found = find_candidates(Sizes(asked), asked.base)
    assert len(found.fits) + len(found.small) == len(FORMS)
    for seed in (0, 100):
        base = asked.base.with_seed(seed)
        features = Sizes(replace(asked, base=base)).seen
        for one in found.fits:
            config = replace(one.config, split_seed=seed)
            with torch.random.fork_rng():
                held = sizes(make_model(config, make_spec(config, features), 0.0))
            assert held["total_bytes"] <= memory, config


@pytest.mark.parametrize("memory", [800, 12_000])
def test_what_is_too_large_works_from_the_memory_that_is_named(memory):
    asked = question(memory)
    found = find_candidates(Sizes(asked), asked.base)
    assert found.small
    for one in found.small:
        enough = Sizes(question(int(1.05 * one.works) + 64))
        assert isinstance(enough.fit(replace(one.config, budget=None)), Sized), one


def test_hashed_tables_stop_at_a_multiple_of_the_exact_table():
    asked = question(10**8)
    sizes = Sizes(asked)
    for one in find_candidates(sizes, asked.base).fits:
        if one.config.strategy in HASHED:
            exact = make_spec(one.config, sizes.seen).exact_table_bytes
            # separate regions have no more rows than their features can use
            times = 1 if one.config.regions == "separate" else LARGEST
            assert one.config.budget == times * exact


PLUGIN = """
from ue_bench.strategies import BOTH, Entry

STRATEGIES = {
    "mine": Entry(
        "ue_bench.strategies.methods.hashing_trick:HashingTrick",
        regions=BOTH,
        summary="a hashed table",
        source="a test",
        shapes=((2, 4), (1, 8)),
    )
}
"""


@pytest.fixture
def plugin(tmp_path):
    """A file with the strategy `mine`, which is in the list for the time of a test."""
    path = tmp_path / "mine.py"
    path.write_text(PLUGIN)
    load_plugin(path)
    yield path
    del STRATEGIES["mine"]


def test_the_strategies_of_a_plugin_are_candidates_after_the_first_of_each_kind(plugin):
    mine = [form for form in all_forms(BASE) if form.strategy == "mine"]
    assert [(form.lookups, form.dim, form.regions) for form in mine] == [
        (2, 4, "multiplexed"),
        (2, 4, "separate"),
        (1, 8, "multiplexed"),
        (1, 8, "separate"),
    ]
    assert all_forms(BASE)[:FIRST] == FORMS[:FIRST]
    assert len(all_forms(BASE)) == len(FORMS) + len(mine)


def test_a_plugin_may_lead(answer, plugin):
    asked = replace(question(), plugins=(plugin,))
    found = answer(World(by_size("mine")), asked)
    assert found["best"]["strategy"] == "mine"
    assert f"load_plugin(Path({str(plugin)!r}))" in found["python"]
    scope: dict = {}
    exec(compile(found["python"], "printed", "exec"), scope)
    assert scope["layer"].footprint().total <= MEMORY


def test_smaller_tables_are_of_the_same_form_in_parts_of_its_memory():
    asked = question()
    found = Sizes(asked)
    for form in (FORMS[1], FORMS[4]):
        full = found.fit(config_of(form, asked.base))
        assert isinstance(full, Sized)
        for one in smaller(found, full.config):
            assert replace(one.config, budget=None) == replace(full.config, budget=None)
            assert one.total_bytes <= 0.55 * MEMORY


def test_a_stream_has_forms_of_its_own_and_none_that_need_its_values():
    for form in STREAM_FORMS:
        assert STRATEGIES[form.strategy].stream_fault(is_stream=True) == ""
    assert all_forms(replace(BASE, split="stream")) == STREAM_FORMS
    for form in FORMS:
        assert STRATEGIES[form.strategy].stream_fault(is_stream=False) == ""


def test_a_table_whose_values_come_and_go_keeps_the_memory_with_its_vocabulary():
    asked = question(base=replace(BASE, split="stream"))
    found = Sizes(asked)
    form = next(form for form in STREAM_FORMS if form.strategy == "evicting_exact")
    sized = found.fit(config_of(form, asked.base))
    assert isinstance(sized, Sized)
    rows = sized.config.budget // (4 * form.dim)
    values = [value for feature in found.whole for value in feature.values]
    texts = sorted((len(value.encode()) for value in values), reverse=True)[:rows]
    held = sized.config.budget + sum(texts) + 4 * rows
    assert 0.95 * MEMORY < held <= MEMORY


def test_a_memory_for_nothing_names_one_that_works():
    with pytest.raises(
        BenchError,
        match="memory: 3 bytes hold none of the 28 candidates; the smallest that works is ",
    ) as caught:
        find_candidates(Sizes(question(3)), BASE)
    works = int(re.search(r"works is ([\d,]+)", str(caught.value))[1].replace(",", ""))
    asked = question(works)
    assert find_candidates(Sizes(asked), asked.base).fits


# ---- what it finds


@pytest.mark.parametrize("best", ["int8", "product_quantization"])
def test_it_finds_the_strategy_that_leads(answer, best):
    found = answer(World(by_size(best)), question())
    assert found["best"]["strategy"] == best
    assert found["best"]["n"] >= 5
    assert found["best"]["total_bytes"] <= MEMORY
    others = [one for one in found["rivals"] if one["strategy"] != best]
    assert others
    assert all(
        one["against_best"]["told_apart"] and one["against_best"]["difference"] > 0.02
        for one in others
    )
    assert found["learned"]
    assert {one["name"]: one["beaten"] for one in found["anchors"]} == dict.fromkeys(
        ("mean", "item_mean", "bias", "mf"), True
    )


def test_a_model_that_ties_with_a_linear_one_does_not_beat_all(answer):
    """As on a census: the difference of the two is smaller than the noise over seeds."""
    reached = 0.7

    def anchors(config: RunConfig) -> dict[str, float]:
        apart = 0.002 * (-1) ** config.split_seed
        return ANCHORS | {"linear": reached + apart, "boosting": 0.84}

    found = answer(World(lambda config: reached, anchors=anchors), question())
    beaten = {one["name"]: one["beaten"] for one in found["anchors"]}
    assert beaten == dict.fromkeys(ANCHORS, True) | {"linear": False, "boosting": True}
    text = " ".join(room.as_text(found, "results").split())
    assert "linear (one-hot) 0.7" in text
    assert "gradient boosting 0.8" in text
    assert "It does not beat linear (one-hot)." in text
    assert "It beats all of them" not in text


def test_anchors_that_only_some_runs_have_are_left_out(answer):
    """The others were run by an older version."""

    def anchors(config: RunConfig) -> dict[str, float]:
        if config.split_seed % 2:
            return ANCHORS
        return ANCHORS | {"linear": 0.5, "boosting": 0.5}

    found = answer(World(by_size("unified"), anchors=anchors), question())
    assert [one["name"] for one in found["anchors"]] == list(ANCHORS)
    assert "It beats all of them" in " ".join(room.as_text(found, "results").split())


def test_the_smaller_tables_make_a_front(usual):
    """The best is listed even where one that cannot be told apart from it has a lower error."""
    found, _ = usual
    sizes = [one["total_bytes"] for one in found["front"]]
    assert sizes == sorted(sizes)
    best = found["best"]["run_ids"]
    assert best in [one["run_ids"] for one in found["front"]]
    errors = [one["val_mse"] for one in found["front"] if one["run_ids"] != best]
    assert len(errors) >= 3
    assert errors == sorted(errors, reverse=True)


def test_a_smaller_table_that_is_better_wins(answer):
    """Memory is a limit and no aim.

    On data of many rare values, a table with more collisions may generalise better.
    """
    found = answer(World(lambda config: 0.8 + (config.budget or 60_000) / 10**6), question())
    assert found["best"]["total_bytes"] < 0.6 * MEMORY


def test_the_shared_table_gets_lookups_where_they_help(answer):
    def mse(config: RunConfig) -> float:
        movie = (
            config.lookups.get("movie_id", 1)
            if isinstance(config.lookups, dict)
            else config.lookups
        )
        return by_size("unified")(config) - 0.02 * movie

    found = answer(World(mse), question(minutes=20))
    assert found["best"]["strategy"] == "unified"
    counts = found["best"]["lookups"]
    assert counts["movie_id"] == max(counts.values())
    assert len(set(counts.values())) > 1
    assert "movie_id" in room.as_text(found, "results")


def test_lookups_that_do_not_help_are_not_added(answer):
    found = answer(
        World(lambda config: by_size("unified")(config) + 0.02 * isinstance(config.lookups, dict)),
        question(),
    )
    assert len(set(found["best"]["lookups"].values())) == 1


def test_one_lookup_more_leaves_the_others():
    config = RunConfig(lookups=2)
    more = one_more(config, ("user_id", "age"))
    assert more["age"].lookups == {"user_id": 2, "age": 3}
    assert one_more(more["age"], ("user_id", "age"))["user_id"].lookups == {"user_id": 3, "age": 3}


def test_equals_are_told_to_be_equals(answer):
    found = answer(World(lambda config: 1.2), question())
    assert not found["learned"]
    assert not any(one["beaten"] for one in found["anchors"] if one["name"] == "mean")
    text = room.as_text(found, "results")
    assert text.startswith("NOTHING WAS LEARNED")
    apart = [one for one in found["rivals"] if one["against_best"]["told_apart"]]
    assert len(apart) <= 1  # of many, at 5 % in all


def test_what_fits_exactly_is_said_and_is_no_winner_by_decree(answer):
    found = answer(World(by_size("unified")), question(10**6))
    assert [one["fits"] for one in found["exact"]["dims"]] == [True, True, True]
    assert found["exact"]["measured"]["strategy"] == "collisionless"
    assert found["best"]["strategy"] == "unified"
    assert "are enough for an exact table" in " ".join(room.as_text(found, "results").split())


def test_the_arithmetic_of_the_exact_table_is_that_of_the_table():
    found = Sizes(question())
    whole = make_spec(config_of(EXACT, BASE), found.whole)
    with torch.random.fork_rng():
        held = sizes(make_model(config_of(EXACT, BASE), whole, 0.0))
    assert (held["table_bytes"], held["vocabulary_bytes"]) == (
        found.exact_bytes(16),
        found.vocabulary_bytes,
    )


def test_one_seed_tells_nothing(answer):
    found = answer(World(by_size("unified"), seconds=11), question(minutes=1))
    assert found["best"]["n"] == 1
    assert found["learned"] is None
    assert not any(one["against_best"]["told_apart"] for one in found["rivals"])
    text = " ".join(room.as_text(found, "results").split())
    assert "One seed cannot tell" in text
    assert "NOTHING WAS LEARNED" not in text


# ---- latency


def test_what_is_too_slow_is_not_chosen_and_its_price_is_told(answer):
    micros = {"int8": 300.0}
    world = World(by_size("int8"), lambda config: micros.get(config.strategy, 20.0))
    found = answer(world, question(latency=100.0))
    assert found["latency_met"] is True
    assert found["best"]["strategy"] != "int8"
    slow = [rival for rival in found["rivals"] if rival["strategy"] == "int8"]
    assert slow
    assert not any(rival["meets_latency"] or rival["equal"] for rival in slow)
    text = room.as_text(found, "results")
    assert "Without that limit: int8" in " ".join(text.split())
    assert "slower than the limit" in text


def test_where_nothing_is_fast_enough_the_fastest_is_told(answer):
    found = answer(
        World(by_size("int8"), lambda config: 30.0 + len(config.strategy)), question(latency=1.0)
    )
    assert found["latency_met"] is False
    fastest = min([found["best"], *found["rivals"]], key=lambda one: one["latency"]["p50_us"])
    assert found["best"]["label"] == fastest["label"]
    assert room.as_text(found, "results").startswith("NOTHING HERE MEETS 1.00 us")


def test_clocks_come_last_and_alone(answer):
    world = World(by_size("int8"))
    answer(world, question(), 3)
    first = world.phases.index("latency")
    assert set(world.phases[first:]) == {"latency"}
    assert world.phases.index("confirm") > world.phases.index("search")


# ---- time


def keeps_the_time(answer, minutes, seconds, workers):
    world = World(by_size("unified"), seconds=seconds)
    found = answer(world, question(minutes=minutes), workers)
    assert world.now <= 60 * minutes
    assert max(world.runs.values()) == 1  # nothing is run twice
    everything = seconds * 27 * 8 / workers  # or little is left to do
    assert world.now >= 0.6 * min(60 * minutes, everything), found["left_out"]["time"]


@pytest.mark.parametrize(
    ("minutes", "seconds", "workers"), [(1, 11.0, 1), (2, 4.0, 1), (5, 11.0, 2)]
)
def test_the_time_is_kept_and_used(answer, minutes, seconds, workers):
    keeps_the_time(answer, minutes, seconds, workers)


@pytest.mark.slow
@pytest.mark.parametrize("minutes", [1, 2, 5, 10, 30])
@pytest.mark.parametrize("seconds", [1.0, 4.0, 11.0])
@pytest.mark.parametrize("workers", [1, 2])
def test_any_time_is_kept_and_used(answer, minutes, seconds, workers):
    keeps_the_time(answer, minutes, seconds, workers)


def test_more_time_for_the_same_question_is_more_evidence(answer):
    world = World(by_size("unified"))
    short = answer(world, question(minutes=2))
    made = sum(world.runs.values())
    again = answer(world, question(minutes=2))
    assert sum(world.runs.values()) == made
    assert again == short
    long = answer(world, question(minutes=12))
    assert max(world.runs.values()) == 1
    assert world.now <= 12 * 60
    assert len(long["left_out"]["time"]) < len(short["left_out"]["time"])
    assert long["best"]["n"] >= short["best"]["n"]


def test_a_time_that_is_too_short_for_one_run_is_told_in_one_line(answer):
    world = World(by_size("unified"), seconds=100, judged=1)
    with pytest.raises(
        BenchError,
        match=r"minutes: 0\.5 was given, and one run takes longer; .* give at least --minutes",
    ):
        answer(world, question(minutes=0.5))
    assert world.now <= 31


def test_a_time_that_is_too_short_for_a_fresh_seed_is_told_and_what_was_run_is_used(answer):
    world = World(by_size("unified"), seconds=11, judged=1)
    with pytest.raises(BenchError, match=r"minutes: 0\.7 was given, too few .* give about 3,"):
        answer(world, question(minutes=0.7))
    answer(world, question(minutes=3))
    assert (
        sum(n - 1 for n in world.runs.values()) <= 1
    )  # the clock that the end of the time had stopped


# ---- interruptions


@pytest.mark.parametrize("after", [1, 9, 30])
def test_an_interrupted_command_goes_on(answer, quick_results, after):
    asked = question(minutes=5)
    world = World(by_size("int8"), most=after)
    with pytest.raises(Killed):
        answer(world, asked)
    kept = records_of(quick_results, asked)
    assert kept
    world.most = 10**9
    found = answer(world, asked)
    assert found["best"]["strategy"] == "int8"
    assert max(world.runs.values()) <= 2  # only the run that was under way
    assert sum(n - 1 for n in world.runs.values()) <= 1
    assert world.now <= 5 * 60
    assert kept.items() <= records_of(quick_results, asked).items()


@pytest.mark.parametrize("fresh", [False, True])
def test_what_fails_is_told_and_left_behind(answer, fresh):
    """From the start, or on fresh seeds alone."""
    world = World(
        by_size("int8"),
        fails=lambda config: config.strategy == "int8" and (config.init_seed >= 100 or not fresh),
    )
    found = answer(world, question())
    assert found["best"]["strategy"] != "int8"
    assert found["best"]["n"] >= 5
    assert found["left_out"]["failed"] == ["out of memory: a table is too large"]
    assert "failed: out of memory" in room.as_text(found, "results")
    assert max(world.runs.values()) == 1  # in one command it is tried once


def test_a_damaged_record_is_named_and_made_again(answer, quick_results):
    asked = question(minutes=5)
    world = World(by_size("int8"))
    answer(world, asked)
    path = sorted((quick_results / asked.name).glob("*.json"))[0]
    path.write_text("{")
    found = answer(world, asked)
    assert [str(path) in line for line in found["skipped"]] == [True]
    assert found["best"]["strategy"] == "int8"


def test_a_damaged_clock_is_refused(answer, quick_results):
    asked = question()
    (quick_results / asked.name).mkdir(parents=True)
    (quick_results / asked.name / ask.SPENT).write_text("soon")
    with pytest.raises(BenchError, match="remove it"):
        answer(World(by_size("int8")), asked)


def test_the_answer_follows_from_the_records(answer, quick_results):
    """Whatever the order in which they were made."""
    asked = question(minutes=3)
    first = answer(World(by_size("int8")), asked)
    folder = quick_results / asked.name
    texts = {path: path.read_bytes() for path in folder.iterdir()}
    for path in texts:
        path.unlink()
    for path in sorted(texts, reverse=True):
        path.write_bytes(texts[path])
    assert answer(World(by_size("unified")), asked) == first


# ---- how it is told


def test_the_text_has_80_columns_and_every_part(usual, answer):
    for found in (usual[0], answer(World(by_size("int8")), question(10**6))):
        text = room.as_text(found, "results/local")
        told, _, code = text.partition("Python:\n")
        assert max(map(len, text.splitlines())) <= WIDTH
        assert not [line for line in told.splitlines() if line != line.rstrip()]
        assert text.isascii() or set(re.findall(r"[^\x00-\x7f]", text)) <= {"×", "–"}
        for part in (
            "Use ",
            "exact table",
            "Nothing smaller",
            "How sure:",
            "Without any embedding:",
            "Left out:",
        ):
            assert part in told
        assert "import" in code
        assert f"ue-bench report --results results/local --study {found['study']}" in code


ARM = {
    "label",
    "strategy",
    "regions",
    "region_rule",
    "dim",
    "rows",
    "lookups",
    "budget",
    "table_bytes",
    "auxiliary_bytes",
    "vocabulary_bytes",
    "total_bytes",
    "total_floor_bytes",
    "slot_cache_bytes",
    "head_bytes",
    "n",
    "part",
    "mse",
    "low",
    "high",
    "val_mse",
    "latency",
    "latency_from_codes",
    "run_ids",
    "config",
}


def test_the_answer_is_json_of_one_shape(usual):
    found, _ = usual
    assert json.loads(json.dumps(found, allow_nan=False)) == found
    assert set(found) == {
        "dataset",
        "entities",
        "entities_chosen",
        "warnings",
        "features",
        "split",
        "memory",
        "latency_limit_us",
        "minutes",
        "study",
        "measure",
        "n_values",
        "part",
        "exact",
        "latency_met",
        "best",
        "choice",
        "rivals",
        "front",
        "anchors",
        "learned",
        "left_out",
        "refused",
        "skipped",
        "python",
    }
    assert set(found["best"]) == ARM
    for arm in found["front"]:
        assert set(arm) == ARM | {"on_front"}
    for arm in found["rivals"]:
        assert set(arm) == ARM | {
            "against_best",
            "among_best",
            "meets_latency",
            "equal",
            "is_lowest",
        }
    assert set(found["choice"]) == {
        "reason",
        "n_compared",
        "n_equal",
        "n_as_fast",
        "is_lowest",
    }
    assert set(found["left_out"]) == {"memory", "race", "time", "failed", "largest_hashed_bytes"}


def test_the_predictors_that_have_a_size_are_shown_with_their_bytes(usual):
    answered, results = usual
    sizes = {anchor["name"]: anchor["total_bytes"] for anchor in answered["anchors"]}
    assert sizes["mean"] is None
    assert sizes["bias"] < sizes["mf"]
    assert sizes["mf"] - sizes["bias"] == 8 * (sizes["bias"] - _vocabulary(answered) - 4)
    told = " ".join(room.as_text(answered, str(results)).split())
    assert re.search(r"user and item bias 0\.\d{4} in [\d.]+ k?B", told)
    assert answered["best"]["strategy"] in STRATEGIES, "and none of them is the answer"


def _vocabulary(answered):
    """The bytes of a dictionary of users and movies, on the seed on which sizes are judged."""
    asked = RunConfig(dataset=answered["dataset"], split=answered["split"])
    entities = encoded_of(asked)[1].entities
    return sum(Vocabulary(feature).n_bytes for feature in entities)


def test_the_report_reads_the_records(usual):
    answered, results = usual
    found = record.load(results, answered["study"])
    assert found[1] == []
    arms = collect(found[0])
    assert arms.kept
    assert arms.refused == ()
    assert {arm.comparison.phase for arm in arms.kept} == {"confirm"}


# ---- the command


@pytest.mark.parametrize(
    ("options", "says"),
    [
        (["planted-nothing", "--memory", "1kB"], "unknown data set 'planted-nothing'"),
        (["planted-noise", "--memory", "much"], "memory: 'much' was given; write bytes such as"),
        (["planted-noise", "--memory", "2"], "the smallest that works is"),
        (
            ["planted-noise", "--memory", "1kB", "--latency", "fast"],
            "latency: 'fast' was given; write a time such as 200us",
        ),
        (["planted-noise", "--memory", "0"], "memory: 0 bytes were given; give from 1 byte"),
        (["planted-noise", "--memory", "999999999999GB"], "give from 1 byte"),
        (["planted-noise", "--memory", "1kB", "--latency", "0us"], "latency: '0us' was given"),
        (
            ["planted-noise", "--memory", "1kB", "--minutes", "0"],
            "minutes: 0 was given; give a number above 0",
        ),
        (["planted-noise", "--memory", "1kB", "--minutes", "nan"], "minutes: nan was given"),
        (["planted-noise", "--memory", "1kB", "--minutes", "inf"], "minutes: inf was given"),
        (["planted-noise", "--memory", "1kB", "--features", "colour"], "unknown feature 'colour'"),
        (["planted-noise"], "--memory"),
    ],
)
def test_bad_input_is_told_in_one_line(options, says, tmp_path):
    outcome = CliRunner().invoke(main, ["advise", *options, "--results", str(tmp_path)])
    assert outcome.exit_code == 2
    assert says in outcome.stderr
    assert "Traceback" not in outcome.stderr
    assert outcome.stdout == ""


@pytest.mark.parametrize(("latency", "code"), [("100us", 0), ("1us", 1)])
def test_the_exit_code_says_whether_the_latency_is_met(latency, code, usual):
    """All runs are there and the time is spent: the command answers from the records."""
    found, results = usual
    outcome = CliRunner().invoke(
        main,
        [
            "advise",
            "planted-additive",
            "--memory",
            "20kB",
            "--latency",
            latency,
            "--json",
            "--minutes",
            "1",
            "--results",
            str(results),
        ],
    )
    assert outcome.exit_code == code, outcome.output
    told = json.loads(outcome.stdout)
    assert told["latency_met"] is (code == 0)
    assert told["best"] == found["best"]


# ---- real runs


@pytest.mark.slow
def test_a_real_command_that_is_interrupted_goes_on(tmp_path):
    words = [
        sys.executable,
        "-m",
        "ue_bench",
        "advise",
        "planted-additive",
        "--memory",
        "8kB",
        "--minutes",
        "2",
        "--epochs",
        "2",
        "--results",
        str(tmp_path),
        "--json",
    ]
    with subprocess.Popen(
        words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as command:
        until = time.monotonic() + 600
        while len(made := list(tmp_path.glob("advise-*/*.json"))) < 2 and time.monotonic() < until:
            time.sleep(0.1)
        command.send_signal(signal.SIGINT)
        out, err = command.communicate(timeout=300)
    assert (command.returncode, out) == (130, ""), err
    assert "interrupted: nothing that was finished is lost" in err
    texts = {path: path.read_bytes() for path in made}
    done = subprocess.run(words, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["best"]["n"] >= 1
    assert {path: path.read_bytes() for path in made} == texts


@pytest.mark.slow
@pytest.mark.parametrize(
    ("world", "learned"), [("planted-additive", True), ("planted-noise", False)]
)
def test_real_runs_say_what_theory_says(world, learned, tmp_path):
    base = replace(BASE, dataset=world, epochs=12)
    found = room.advise(
        replace(question(10**6, minutes=2), base=room.Question.of(base, 1, None, 1, None).base),
        tmp_path,
        2,
    )
    assert found["learned"] is learned
    if learned:  # five effects that add up: noise of variance 0.25 is what is left
        assert found["best"]["mse"] < 0.35
        assert {one["name"]: one["beaten"] for one in found["anchors"]}["bias"]
    else:
        assert found["best"]["mse"] > 0.95
        assert "NOTHING WAS LEARNED" in room.as_text(found, "results")


def test_the_page_is_what_the_program_says():
    """Each command of docs/advise.md parses, its Python runs, and its answer is complete."""
    page = (Path(__file__).resolve().parents[2] / "docs" / "advise.md").read_text()
    typed = re.findall(r"^(ue-bench advise .*)$", page, re.MULTILINE)
    names = [
        main.commands["advise"].make_context("advise", shlex.split(line)[2:]).params["dataset"]
        for line in typed
    ]
    assert names == ["ml-100k", "clicks.parquet"]
    (shown,) = re.findall(r"^```text\n(.*?)^```", page, re.MULTILINE | re.DOTALL)
    assert max(map(len, shown.splitlines())) <= WIDTH
    code = shown.partition("Python:\n")[2].partition("Records and figures:")[0]
    scope: dict = {}
    exec(compile(code, "page", "exec"), scope)
    stated = int(re.search(r"^\* .* ([\d,]+)  ", shown, re.MULTILINE)[1].replace(",", ""))
    assert scope["layer"].footprint().total == stated
    assert f"list of {len(FORMS)}," in page

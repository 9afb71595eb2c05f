"""Declared studies: searches keep their trials apart, and rivals are searched alike."""

import tempfile
from dataclasses import replace
from itertools import combinations
from multiprocessing import forkserver, process

import pytest

from ue_bench.config import SEEDS, RunConfig
from ue_bench.errors import BenchError
from ue_bench.record import Record
from ue_bench.report.evidence.comparison import comparison_of
from ue_bench.study import Grid, Search, Study, find, names
from ue_bench.study.local_executor import LocalExecutor
from ue_bench.study.plan import Plan
from ue_bench.study.processes import Job, Workers
from ue_bench.study.search_records import belongs, trial_facts
from ue_bench.study.space import configure
from ue_bench.training.resolve import resolve
from ue_bench.training.run_data import exact_table_bytes


def start(search: Search):
    """Return the configuration that a search starts from, as a plan makes it."""
    config = replace(search.base, measure="quality")
    if search.compression:
        config = replace(config, budget=exact_table_bytes(config) // search.compression)
    return resolve(config.with_seed(search.seed))


@pytest.mark.parametrize("name", names())
def test_searches_of_a_study_keep_their_trials_apart(name):
    for parts in (find(name).parts, find(name).quick):
        searches = [part for part in parts if isinstance(part, Search)]
        bases = [start(search) for search in searches]
        trials = [_trial(search, base) for search, base in zip(searches, bases, strict=True)]
        for number, (search, base) in enumerate(zip(searches, bases, strict=True)):
            if search.total is None:
                space = {
                    field: (*allowed, _value(base, field))
                    for field, allowed in search.space.items()
                }
                search = replace(search, space=space)
            taken = [other for other, trial in enumerate(trials) if belongs(trial, base, search)]
            assert taken == [number], f"part {number} of {name} would take trials of parts {taken}"


def _trial(search, base):
    """Return a record of the configuration that a search starts from.

    With a fixed total, the first feature gets all lookups beyond the first one of each.
    """
    if search.total is not None:
        base = resolve(
            replace(base, lookups={search.features[0]: search.total - len(search.features) + 1})
        )
    return Record(
        run_id=base.run_id,
        study="s",
        phase="search",
        config=base,
        found={"trial": trial_facts(search, 0)},
    )


def seeds(**grid):
    """Return the four seeds of each run of a grid with one arm, in a study that starts at 7."""
    declared = Study("?", (Grid((RunConfig(budget=28_032),), **grid),))
    configs = Plan("any", declared, seed=7).grid(declared.parts[0])
    return [tuple(getattr(config, name) for name in SEEDS) for config in configs]


def test_all_seeds_vary_together_unless_told():
    assert seeds(seeds=3) == [(7,) * 4, (8,) * 4, (9,) * 4]
    assert seeds(seeds=2, first=100) == [(107,) * 4, (108,) * 4]


def test_seeds_that_do_not_vary_are_held_at_the_first():
    assert seeds(seeds=3, vary=("init_seed",)) == [
        (7, 7, 7, 7),
        (7, 8, 7, 7),
        (7, 9, 7, 7),
    ]
    assert seeds(seeds=2, first=10, vary=("hash_seed", "split_seed")) == [
        (17,) * 4,
        (18, 17, 17, 18),
    ]


@pytest.mark.parametrize(
    ("vary", "told"), [(("seed",), "unknown seed to vary 'seed'"), ((), "vary: no seed was given")]
)
def test_a_name_that_is_no_seed_cannot_vary(vary, told):
    with pytest.raises(BenchError, match=told):
        Grid((RunConfig(),), vary=vary)


def test_crossed_seeds_meet_each_other_once():
    config = RunConfig("planted-noise", budget=28_032)
    grid = Grid((config,), seeds=5, first=17, crossed=True)
    plan = Plan("any", Study("?", (grid,)), seed=1000)
    runs = [tuple(getattr(run, name) for name in SEEDS) for run in plan.grid(grid)]
    assert len(set(runs)) == 25
    for one, other in combinations(range(4), 2):
        assert len({(seeds[one], seeds[other]) for seeds in runs}) == 25
    replicates = {seeds for seeds in runs if len(set(seeds)) == 1}
    assert replicates == {(seed,) * 4 for seed in range(1017, 1022)}


@pytest.mark.parametrize("seeds", [1, 3, 4, 6, 9, 10])
def test_seeds_that_cannot_be_crossed(seeds):
    with pytest.raises(BenchError, match=f"{seeds} values of each seed cannot be crossed; give a"):
        Grid((RunConfig(),), seeds=seeds, crossed=True)
    with pytest.raises(BenchError, match="vary: hash_seed was given for seeds that are crossed"):
        Grid((RunConfig(),), seeds=5, crossed=True, vary=("hash_seed",))


def test_the_study_of_variance_crosses_seeds_and_tries_fifty_hash_seeds():
    study = find("variance")
    crossed, wide, tails = study.parts
    assert crossed.crossed
    assert wide.crossed
    assert {arm.features for part in (crossed, wide) for arm in part.arms} == {"base", "wide"}
    assert (tails.seeds, tails.vary) == (50, ("hash_seed",))
    plan = Plan("variance", study)
    assert len({run.run_id for part in study.parts for run in plan.grid(part)}) <= 600


def test_the_record_of_a_run_names_the_setting_of_its_grid(tmp_path):
    tiny = RunConfig("planted-one-feature", budget=4_096, epochs=1, measure="quality")
    grids = (
        Grid((tiny,), seeds=1),
        Grid((replace(tiny, lr=1e-3),), seeds=1, setting="lr 0.001"),
    )
    declared = Study("?", grids, latency=False)
    done = LocalExecutor(Plan("any", declared), results=tmp_path, workers=1).run()
    settings = {record.config.lr: record.found.get("setting", "") for record in done}
    assert settings == {RunConfig().lr: "", 1e-3: "lr 0.001"}
    titles = {comparison_of(record).title for record in done}
    assert any(title.endswith("lr 0.001)") for title in titles)


EXACT = RunConfig(strategy="collisionless", budget=28_032)
SIZED = (EXACT, replace(EXACT, budget=14_016), RunConfig(budget=28_032), RunConfig(budget=14_016))


def test_a_budget_that_a_strategy_does_not_keep_is_dropped_with_a_word():
    """All budgets of such a strategy are one run, and the word is said once a study."""
    declared = Study("?", (Grid(SIZED, seeds=2), Grid(SIZED, seeds=3)), latency=False)
    first, second = Plan("any", declared).stages({})
    exact = [config for config in first.configs.values() if config.strategy == "collisionless"]
    assert [(config.budget, config.init_seed) for config in exact] == [(None, 0), (None, 1)]
    assert len(first.configs) == 6
    assert first.notes == (
        "any: collisionless keeps no budget; it runs without one, at its own size",
    )
    assert second.notes == ()
    hashed = Study("?", (Grid(SIZED[2:]),), latency=False)
    (stage,) = Plan("any", hashed).stages({})
    assert stage.notes == ()


def test_a_search_of_a_strategy_without_budget_has_none():
    search = Search(EXACT, {"lr": (1e-3, 4e-3)}, trials=2, against=(EXACT,), seeds=1)
    stage, confirm = Plan("any", Study("?", (search,), latency=False)).stages({})
    assert stage.base.budget is None
    assert len(stage.notes) == 1
    assert {config.budget for config in confirm.configs.values()} == {None}
    asked = resolve(replace(stage.base, lr=1e-3))
    record = Record(run_id=asked.run_id, study="any", phase="search", config=asked)
    assert belongs(record, stage.base, search)
    earlier = replace(record, config=replace(asked, budget=5_000))  # as former versions wrote it
    assert belongs(earlier, stage.base, search)
    mixed = replace(search, space={"strategy": ("int8", "collisionless")})
    base = resolve(RunConfig(strategy="int8", budget=28_032, measure="quality"))
    chosen = configure(base, {"strategy": "collisionless"})
    assert chosen.budget is None
    trial = Record(run_id=chosen.run_id, study="any", phase="search", config=chosen)
    assert belongs(trial, base, mixed)


def test_the_budget_of_a_strategy_that_keeps_none_is_not_searched():
    search = Search(EXACT, {"budget": (7_008, 28_032)}, trials=2)
    plan = Plan("any", Study("?", (search,), latency=False))
    with pytest.raises(BenchError, match="any: a search varies the budget of collisionless, which"):
        list(plan.stages({}))


def _value(base, field):
    room, dot, key = field.partition(".")
    value = getattr(base, room)
    if not dot or not isinstance(value, dict):
        return value
    return value.get(key, 1 if room == "lookups" else None)


UNIFIED = Search(
    RunConfig(budget=28_032),
    {"lr": (1e-3, 4e-3), "options.knob": (1, 2)},
    trials=4,
    confirm=(8, 16),
)
RIVAL = replace(
    UNIFIED,
    base=RunConfig(strategy="robe", regions="separate", budget=28_032),
    space={"options.other": (4,), "lr": (1e-3, 4e-3), "region_rule": ("sqrt", "equal")},
    seed=1,
)


def test_knobs_and_rules_are_a_strategys_own():
    Study("?", (UNIFIED, RIVAL))
    for other in ({"features": "wide"}, {"multi_valued": "movie_id"}):  # other features: no rivals
        Study("?", (UNIFIED, replace(RIVAL, base=replace(RIVAL.base, **other), trials=9)))


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"trials": 5}, "trials 5 against 4"),
        ({"seeds": 3}, "seeds 3 against 5"),
        ({"best": 1}, "best 1 against 3"),
        ({"confirm": (8,)}, r"confirm \(8,\) against \(8, 16\)"),
        ({"compression": 4}, "compression 4 against None"),
        ({"space": {"lr": (1e-3, 2e-3, 4e-3)}}, "space .*0.002"),
        ({"space": {"options.other": (4,)}}, "space {} against"),
        ({"base": replace(RIVAL.base, budget=14_016)}, "budget 14016 against 28032"),
    ],
)
def test_strategies_that_compete_are_searched_alike(change, told):
    with pytest.raises(
        BenchError,
        match=f"base, random, mlp are not alike: robe separate differs from unified: {told}",
    ):
        Study("?", (UNIFIED,), quick=(UNIFIED, replace(RIVAL, **change)))


def test_each_strategy_has_as_many_searches():
    with pytest.raises(BenchError, match="robe separate has 1, unified has 2"):
        Study("?", (UNIFIED, replace(UNIFIED, compression=4), RIVAL))


@pytest.mark.parametrize(
    "key",
    ["quality.test_mse", "quality.train_mse", "quality.slices", "found.dim", "cost.test_bytes"],
)
def test_a_search_may_not_minimise_a_test_score(key):
    with pytest.raises(BenchError, match=f"may not minimise '{key}'"):
        replace(UNIFIED, objectives=("quality.val_mse", key))


def test_a_temporary_folder_with_a_long_path_is_told_in_a_line(tmp_path, monkeypatch):
    """The socket of the forkserver has a path of at most about 100 characters."""
    folder = tmp_path / ("t" * 127)
    folder.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(folder))
    monkeypatch.setitem(process.current_process()._config, "tempdir", str(folder))
    monkeypatch.setattr(forkserver, "ensure_running", forkserver.ForkServer().ensure_running)
    job = Job(RunConfig(budget=1_000), "s", "run", results=None, data_dir=None)
    with Workers(1) as workers, pytest.raises(BenchError, match="set TMPDIR to a folder") as error:
        workers.start(job)
    assert str(folder) in str(error.value)
    assert "\n" not in str(error.value)

"""Declared studies: searches keep their trials apart, and rivals are searched alike."""

import re
import sys
import tempfile
from dataclasses import replace
from itertools import combinations
from multiprocessing import forkserver, process
from pathlib import Path

import pytest

from ue_bench.config import CHOICES, SEEDS, RunConfig
from ue_bench.config.drawn_worlds import is_draw
from ue_bench.errors import BenchError
from ue_bench.report.evidence.comparison import comparison_of
from ue_bench.strategies import all_strategies, entry_of
from ue_bench.study import Between, Grid, Search, Study, find, names
from ue_bench.study.local_executor import LocalExecutor
from ue_bench.study.plan import Plan
from ue_bench.study.processes import Job, Workers
from ue_bench.study.space import configure
from ue_bench.training.resolve import resolve

STUDIES = Path(__file__).parents[2] / "studies"


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
    crossed, tails = study.parts
    assert crossed.crossed
    assert {arm.features for part in study.parts for arm in part.arms} == {"base"}
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
    base = resolve(RunConfig(strategy="int8", budget=28_032, measure="quality"))
    assert configure(base, {"strategy": "collisionless"}).budget is None


def test_the_budget_of_a_strategy_that_keeps_none_is_not_searched():
    search = Search(EXACT, {"budget": (7_008, 28_032)}, trials=2)
    plan = Plan("any", Study("?", (search,), latency=False))
    with pytest.raises(BenchError, match="any: a search varies the budget of collisionless, which"):
        list(plan.stages({}))


UNIFIED = Search(
    RunConfig(budget=28_032),
    {"lr": Between(1e-3, 4e-3), "options.knob": (1, 2), "lookups.age": (1, 2)},
    trials=4,
)
RIVAL = replace(
    UNIFIED,
    base=RunConfig(strategy="robe", regions="separate", region_rule="sqrt", budget=28_032),
    space={"options.other": (4,), "lr": Between(1e-3, 4e-3), "lookups.age": (1, 2)},
)


def test_knobs_are_a_strategys_own():
    Study("?", (UNIFIED, RIVAL))
    for other in ({"features": "wide"}, {"multi_valued": "movie_id"}):  # other features: no rivals
        Study("?", (UNIFIED, replace(RIVAL, base=replace(RIVAL.base, **other), trials=9)))


def test_exact_rows_have_no_use_for_lookups():
    exact = replace(
        UNIFIED, base=RunConfig(strategy="int8", budget=28_032), space={"lr": Between(1e-3, 4e-3)}
    )
    Study("?", (exact, UNIFIED, RIVAL))
    hashed = replace(RIVAL, space={"lr": Between(1e-3, 4e-3)})
    with pytest.raises(BenchError, match=r"lookups {} against {'lookups.age': "):
        Study("?", (exact, UNIFIED, hashed))


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"trials": 5}, "trials 5 against 4"),
        ({"trial_seeds": 1}, "trial_seeds 1 against 3"),
        ({"startup": 2}, "startup 2 against 8"),
        ({"seeds": 3}, "seeds 3 against 10"),
        ({"best": 1}, "best 1 against 3"),
        ({"compression": 4}, "compression 4 against None"),
        ({"space": {"lr": (1e-3, 2e-3, 4e-3), "lookups.age": (1, 2)}}, "space .*0.002"),
        ({"space": {"options.other": (4,), "lookups.age": (1, 2)}}, "space {} against"),
        ({"base": replace(RIVAL.base, budget=14_016)}, "budget 14016 against 28032"),
        ({"base": replace(RIVAL.base, lr=1e-3)}, "recipe .*lr 0.001.* against"),
    ],
)
def test_strategies_that_compete_are_searched_alike(change, told):
    with pytest.raises(
        BenchError,
        match=f"base, random, mlp are not alike: robe separate sqrt differs from unified: {told}",
    ):
        Study("?", (UNIFIED,), quick=(UNIFIED, replace(RIVAL, **change)))


def test_separate_forms_try_the_same_rules():
    tried = replace(RIVAL, space={**RIVAL.space, "region_rule": ("sqrt", "equal")})
    Study("?", (UNIFIED, tried))
    other = replace(RIVAL, base=replace(RIVAL.base, strategy="compositional"))
    with pytest.raises(
        BenchError, match=r"compositional .* rules None against \('sqrt', 'equal'\)"
    ):
        Study("?", (UNIFIED, tried, other))


def test_each_form_and_each_rule_has_as_many_searches():
    with pytest.raises(BenchError, match="robe separate sqrt has 1, unified has 2"):
        Study("?", (UNIFIED, replace(UNIFIED, compression=4), RIVAL))


@pytest.mark.parametrize("name", names())
def test_every_form_and_rule_is_searched_at_every_size_that_is_quoted(name):
    """Both forms, and every rule of separate tables, wherever one of them is searched."""
    searches = []
    for part in find(name).parts:
        if isinstance(part, Search) and not is_draw(part.base):  # nothing is quoted of a draw
            searches.append(part)
    cells = {(search.base.features, search.compression) for search in searches}
    for features, compression in cells:
        alike = [s for s in searches if (s.base.features, s.compression) == (features, compression)]
        rules = set()
        for search in alike:
            if search.base.strategy == "per_feature":
                rules.update(search.space.get("region_rule", {search.base.region_rule}))
        assert rules in (set(), set(CHOICES["region_rule"]))
        for search in alike:
            # A study that was imported beside another test's strategy has searches of that, too.
            if search.base.strategy not in all_strategies():
                continue
            assert search.trials >= 24
            assert search.trial_seeds == 3
            assert search.trials >= 2 * search.startup
            assert "dim" in search.space
            lookups = {search.space[f"lookups.{name}"] for name in search.features}
            assert lookups == ({(1, 2, 3, 4)} if has_lookups(search.base.strategy) else set())


def has_lookups(strategy):
    return entry_of(strategy).has_lookups


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


def test_the_command_line_is_loaded_once_for_all_runs_and_only_where_it_is_used(monkeypatch):
    import ue_bench.cli

    Workers(1)
    assert ue_bench.cli.__name__ in forkserver._forkserver._preload_modules
    monkeypatch.delitem(sys.modules, ue_bench.cli.__name__)
    Workers(1)
    assert forkserver._forkserver._preload_modules == ["ue_bench.training.preload"]


@pytest.mark.parametrize("name", [name for name in names() if name != "article"])
def test_the_header_of_a_study_counts_its_runs(name):
    header = (STUDIES / f"{name.replace('-', '_')}.py").read_text().split('"""')[1]
    told = re.search(r"^Cost: ([\d,]+) runs", header, re.MULTILINE)
    assert int(told[1].replace(",", "")) == most_runs(name)


def most_runs(name):
    """Return how many runs a study has where no winner of a search is the arm beside it."""
    plan = Plan(name, find(name))
    in_grids = set()
    of_searches = 0
    for part in plan.parts:
        if isinstance(part, Grid):
            in_grids.update(config.run_id for config in plan.grid(part))
        else:
            of_searches += part.trials * part.trial_seeds
            of_searches += (part.best + len(part.against)) * part.seeds
    return len(in_grids) + of_searches

"""`--only`: the runs of some strategies of a study, plug-ins among them."""

from dataclasses import replace

import pytest
from click.testing import CliRunner

from ue_bench.cli import main
from ue_bench.config import RunConfig
from ue_bench.errors import BenchError
from ue_bench.record import load_runs
from ue_bench.strategies.registry import STRATEGIES
from ue_bench.study import Grid, Search, Study, find
from ue_bench.study.parts_of import parts_of
from ue_bench.study.plan import Plan
from ue_bench.study.unplaced import unplaced

UNIFIED = RunConfig(budget=28_032)
SEPARATE = RunConfig(strategy="per_feature", budget=28_032)
GRID = Grid((UNIFIED, SEPARATE), seeds=2)
SEARCH = Search(SEPARATE, {"lr": (1e-3, 2e-3)}, trials=2, against=(UNIFIED,))


def test_a_part_keeps_the_arms_of_a_strategy():
    grid, search = parts_of((GRID, SEARCH), ["per_feature"], "s")
    assert grid.arms == (SEPARATE,)
    assert search.base == SEPARATE
    assert search.against == ()
    (grid,) = parts_of((GRID, SEARCH), ["unified"], "s")
    assert grid.arms == (UNIFIED,)
    assert parts_of((GRID, SEARCH), ["unified", "per_feature"], "s") == (GRID, SEARCH)


@pytest.mark.parametrize(
    ("name", "told"),
    [
        ("unifed", "unknown strategy 'unifed' (did you mean 'unified'?)"),
        ("robe", "study s has no run of robe"),
    ],
)
def test_a_strategy_that_has_no_run_is_one_line(name, told):
    with pytest.raises(BenchError) as caught:
        Plan("s", Study("?", (GRID,), latency=False), only=[name])
    assert told in str(caught.value)


def test_a_study_of_every_strategy_has_runs_of_one_that_was_added(monkeypatch):
    before = {search.base.strategy for search in find("methods").parts}
    monkeypatch.setitem(STRATEGIES, "mine", STRATEGIES["unified"])
    after = {search.base.strategy for search in find("methods").parts}
    assert after == before | {"mine"}
    monkeypatch.undo()
    assert {search.base.strategy for search in find("methods").parts} == before


def test_a_study_of_every_strategy_has_the_latest_one_of_a_name(monkeypatch):
    for regions in (("multiplexed", "separate"), ("multiplexed",)):
        entry = replace(STRATEGIES["hashed_net"], regions=regions)
        monkeypatch.setitem(STRATEGIES, "mine", entry)
        mine = [search for search in find("methods").parts if search.base.strategy == "mine"]
        assert {search.base.regions for search in mine} == set(regions)


@pytest.fixture
def added():
    """What a test adds to the list is in it for the time of the test."""
    yield
    STRATEGIES.pop("mine", None)


PLUGIN = (
    "from ue_bench.strategies import Entry\n"
    "METHOD = 'ue_bench.strategies.methods.hashing_trick:HashingTrick'\n"
    "ENTRY = Entry(METHOD, regions=('multiplexed',), summary='x', source='y')\n"
    "STRATEGIES = {'mine': ENTRY}\n"
)
NO_RUN = (
    "article: no run of mine, which --plugin adds, is asked for; methods and worlds run the "
    "strategies of a plug-in, and a study file of your own may name them"
)


@pytest.mark.usefixtures("added")
def test_a_study_without_a_place_for_a_plug_in_says_so_once(tmp_path):
    (tmp_path / "mine.py").write_text(PLUGIN)
    (tmp_path / "file").write_text("")
    asked = ["study", "article", "--plugin", str(tmp_path / "mine.py")]
    # The folder of results is refused right afterwards.
    result = CliRunner().invoke(main, [*asked, "--results", str(tmp_path / "file" / "results")])
    assert result.exit_code == 2
    assert result.stderr.splitlines()[1:-1] == [NO_RUN]
    assert "cannot write" in result.stderr.splitlines()[-1]


def test_a_study_with_a_run_of_a_plug_in_says_nothing(monkeypatch):
    assert unplaced("s", (GRID, SEARCH), ["per_feature", "mine"]) == []
    assert unplaced("s", (GRID, SEARCH), []) == []
    monkeypatch.setitem(STRATEGIES, "mine", STRATEGIES["unified"])
    assert unplaced("methods", find("methods").parts, ["mine"]) == []
    (line,) = unplaced("methods", (GRID, SEARCH), ["mine"])  # as --only may leave it
    assert "; worlds run the strategies of a plug-in" in line


@pytest.mark.slow
@pytest.mark.usefixtures("added")
def test_the_runs_of_a_plug_in_are_made_alone(tmp_path):
    (tmp_path / "mine.py").write_text(PLUGIN)
    asked = ["study", "methods", "--quick", "--plugin", str(tmp_path / "mine.py"), "--only", "mine"]
    result = CliRunner().invoke(main, [*asked, "--results", str(tmp_path)])
    assert result.exit_code == 0, result.output
    records, _ = load_runs(tmp_path)
    assert {record.config.strategy for record in records} == {"mine"}
    assert {record.phase for record in records} >= {"search", "confirm"}

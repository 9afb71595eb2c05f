"""The rank of a new strategy in several worlds, and its summary."""

import json
import random
from dataclasses import replace

import fake_workers
import pytest
from click.testing import CliRunner

from ue_bench import record as records_room
from ue_bench.advise.over_worlds import over_worlds
from ue_bench.advise.rank_text import WIDTH
from ue_bench.cli import main
from ue_bench.data.loading import checksum_of
from ue_bench.record.store import pack_compact
from ue_bench.strategies import STRATEGIES
from ue_bench.study import Study, find, local_executor
from ue_bench.study.local_executor import LocalExecutor
from ue_bench.study.plan import Plan

PLUGIN = """
from ue_bench.strategies import Entry

STRATEGIES = {
    "mine": Entry(
        "ue_bench.strategies.methods.hashing_trick:HashingTrick",
        regions=("multiplexed",),
        summary="a hashed table",
        source="a test",
    )
}
"""
# By world. Bits make no difference, nor does a rule.
LEVEL = {
    "ml-100k": {"unified": 0.90, "per_feature": 0.92, "hashed_net": 0.88, "mine": 0.89},
    "baseball": {"unified": 0.90, "per_feature": 0.88, "hashed_net": 0.86, "mine": 0.95},
}
SEEDS = 6
ARMS = ("unified", "per_feature", "hashed_net")


def result(job):
    config = job.config
    noise = random.Random(config.run_id).gauss(0, 0.001)
    split = random.Random(config.split_seed).gauss(0, 0.004)
    score = LEVEL[config.dataset][config.strategy] + split + noise + 20 / config.budget
    facts = {
        "checksum": checksum_of(config.dataset),
        "n_rows": {"train": 80_000, "val": 10_000, "test": 10_000},
    }
    run = fake_workers.smallest(config, job.study, job.phase, score, **facts)
    anchors = {"bias": {"val_mse": 0.95 + split, "test_mse": 0.95 + split}}
    seconds = 3.0 if config.dataset == "ml-100k" else 9.0
    cost = run.cost | {"table_bytes": config.budget, "total_bytes": config.budget}
    return replace(
        run,
        quality=run.quality | {"anchors": anchors},
        cost=cost | {"train_seconds": seconds},
    )


Quick = fake_workers.quick_workers(result)


def fewer(parts):
    """The parts on two worlds, with few seeds."""
    kept = []
    for part in parts:
        arms = tuple(arm for arm in part.arms if arm.strategy in (*ARMS, "mine"))
        if arms and arms[0].dataset in LEVEL:
            kept.append(replace(part, arms=arms, seeds=SEEDS))
    return tuple(kept)


@pytest.fixture(scope="module")
def published(tmp_path_factory):
    """A folder with compact records of the study `worlds`, of three strategies in two worlds."""
    folder = tmp_path_factory.mktemp("published")
    study = Study("?", fewer(find("worlds").parts), latency=False)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(local_executor, "Workers", Quick)
        LocalExecutor(Plan("worlds", study), folder / "whole").run()
    pack_compact(folder / "whole", "worlds", folder / "compact")
    return folder / "compact"


@pytest.fixture
def ask(tmp_path, monkeypatch, published):
    """Asks for the rank of a new strategy, whose runs take no time."""
    (tmp_path / "mine.py").write_text(PLUGIN)
    monkeypatch.setattr(local_executor, "Workers", Quick)

    def asked(*words):
        line = ["rank", str(tmp_path / "mine.py"), "--against", str(published)]
        return CliRunner().invoke(main, [*line, "--results", str(tmp_path / "own"), *words])

    yield asked
    STRATEGIES.pop("mine", None)


@pytest.mark.slow
def test_a_strategy_has_a_rank_in_each_world_and_a_summary(ask):
    done = ask("--on", "ml-100k,baseball", "--json")
    assert done.exit_code == 0, done.output
    found = json.loads(done.stdout)["mine"]
    ranks = {(place["panel"], place["rank"], place["among"]) for place in found["places"]}
    films, players = "base (ml-100k, random split)", "base (baseball, random split)"
    assert ranks == {(films, 2, 4), (players, 4, 4)}
    assert len(found["places"]) == 6  # three sizes in each world
    assert found["left_out"] == []
    summary = found["over_worlds"]
    assert summary["mean_rank"] == 3.0
    assert summary["worlds"] == {
        films: {"mean_rank": 2.0, "among": 4},
        players: {"mean_rank": 4.0, "among": 4},
    }
    assert summary["tests"] == 6 * 3
    assert summary["worse"] == 3 * 3 + 3 * 1  # than each player's rival, and than hashed_net
    assert summary["better"] == 3 * 2


def test_costs_are_told_first_and_by_world(ask):
    done = ask("--on", "ml-100k,baseball")
    assert done.exit_code == 0, done.output
    costs = [line for line in done.stderr.splitlines() if line.startswith("rank: ")]
    # Two arms (floats and two bits), three sizes and ten seeds; a run takes half a second more.
    assert costs == [
        "rank: mine: at most 120 runs, 13.0 minutes (no search, 10 seeds, 3 sizes)",
        "rank: ml-100k: at most 60 runs, 3.5 minutes",
        "rank: baseball: at most 60 runs, 9.5 minutes",
    ]
    (summary,) = [line for line in done.stdout.splitlines() if line.startswith("Over ")]
    assert summary.startswith("Over 2 worlds: mean rank 3.0 by budget (")
    assert max(map(len, done.stdout.splitlines())) <= WIDTH


def test_less_effort_is_told_and_more_goes_on_from_it(ask, tmp_path):
    done = ask("--on", "baseball", "--quick")
    assert done.exit_code == 0, done.output
    assert "rank: mine: at most 6 runs" in done.stderr
    assert "no search, 3 seeds, 1 size: less effort than the others had" in done.stderr
    assert "Over 1 world: " in done.stdout
    assert "ml-100k" not in done.stdout
    before = {path.name for path in (tmp_path / "own" / "worlds").glob("*.json")}
    assert len(before) == 6
    assert ask("--on", "baseball", "--minutes", "5").exit_code == 0
    after = {path.name for path in (tmp_path / "own" / "worlds").glob("*.json")}
    assert before < after
    assert len(after) == 2 * 3 * 5  # what five minutes allow: five seeds


@pytest.mark.parametrize(
    ("worlds", "told"),
    [
        ("ml-100k,", "on: 'ml-100k,' was given; give names with commas"),
        ("ml-100k,mars", "unknown world 'mars'"),
        ("flights", "has no record of study worlds on flights; leave it out of --on"),
    ],
)
def test_a_world_that_cannot_be_is_one_line(ask, worlds, told):
    done = ask("--on", worlds)
    assert done.exit_code == 2
    assert told in done.stderr
    assert len([line for line in done.stderr.splitlines() if "rror" in line]) == 1


def test_a_published_name_is_refused(ask, published, tmp_path):
    (tmp_path / "mine.py").write_text(PLUGIN.replace('"mine"', '"other"'))
    for run in records_room.load_runs(published, "worlds")[0][:1]:
        config = replace(run.config, strategy="other")
        taken = replace(run, config=config, run_id=config.run_id)
        records_room.write(taken, tmp_path / "taken")
    line = ["rank", str(tmp_path / "mine.py"), "--against", str(tmp_path / "taken")]
    done = CliRunner().invoke(main, [*line, "--on", run.config.dataset])
    STRATEGIES.pop("other", None)
    assert done.exit_code == 2
    assert "a published strategy has this name" in done.output


def test_no_place_has_no_summary():
    assert over_worlds([]) is None

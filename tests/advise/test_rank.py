"""The rank of a new strategy among published ones: effort, places, tests, refusals."""

import json
import random
import re
import shlex
from dataclasses import replace
from functools import cache
from types import SimpleNamespace

import fake_records
import fake_workers
import pytest
from click.testing import CliRunner

import ue_bench
from ue_bench import record as records_room
from ue_bench.advise import rank as room
from ue_bench.advise.rank_text import WIDTH, rank_text
from ue_bench.advise.ranked import COLUMNS
from ue_bench.cli import main
from ue_bench.config import RunConfig
from ue_bench.data.loading import checksum_of
from ue_bench.errors import BenchError
from ue_bench.record.compact import compact
from ue_bench.record.packed import PACKED, write_packed
from ue_bench.record.store import pack_compact
from ue_bench.record.world_facts import facts_of as run_facts
from ue_bench.strategies import STRATEGIES, load_plugin
from ue_bench.study import Study, by_name, local_executor
from ue_bench.study.fair_searches import fair_searches
from ue_bench.study.local_executor import LocalExecutor
from ue_bench.study.plan import Plan

LEVEL = {"unified": 0.90, "robe": 0.93, "mine": 0.91, "hashed_net": 0.95}
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


@cache
def checksum():
    return checksum_of("ml-100k")


def result(job):
    """A score that follows from strategy, size, seed and dim, with a little noise of the run."""
    config = job.config
    noise = random.Random(config.run_id).gauss(0, 0.001)
    split = random.Random(config.split_seed).gauss(0, 0.004)
    level = LEVEL.get(config.strategy, 0.95) + 60 / (config.budget or 60_000)
    score = level + split + noise + 0.001 * config.dim
    facts = {"trial": job.trial} if job.trial else {}
    facts |= {
        "checksum": checksum(),
        "n_rows": {"train": 80_000, "val": 10_000, "test": 10_000},
        "n_seen": {"user_id": 943, "movie_id": 1650 + config.split_seed % 7},
    }
    run = fake_workers.smallest(config, job.study, job.phase, score, **facts)
    anchors = {"bias": {"val_mse": 0.95 + split, "test_mse": 0.95 + split}}
    size = config.budget or 1_000_000
    cost = run.cost | {"table_bytes": size, "total_bytes": size, "train_seconds": 3.0}
    return replace(run, quality=run.quality | {"anchors": anchors}, cost=cost)


Quick = fake_workers.quick_workers(result)


def study_of(names) -> Study:
    base = RunConfig(features="user_id,movie_id", lookups=2, dim=8)
    searches = fair_searches(
        base, names, ("user_id", "movie_id"), (64, 16), against=(), trials=24, seeds=10, seed=0
    )
    return Study("?", searches, latency=False)


@pytest.fixture(scope="module")
def published(tmp_path_factory):
    """The folders of published strategies: with whole records, and with compact ones."""
    folder = tmp_path_factory.mktemp("published")
    others = study_of([name for name in LEVEL if name != "mine"])
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(local_executor, "Workers", Quick)
        LocalExecutor(Plan("methods", others), folder / "whole").run()
    pack_compact(folder / "whole", "methods", folder / "compact")
    return folder


@pytest.fixture
def world(tmp_path, monkeypatch, published):
    """Published strategies, a new one in the list, and runs that take no time."""
    (tmp_path / "mine.py").write_text(PLUGIN)
    monkeypatch.setattr(local_executor, "Workers", Quick)
    monkeypatch.setattr(by_name, "_study_of", lambda name: study_of(LEVEL))
    (tmp_path / "published").symlink_to(published / "compact")
    yield tmp_path
    STRATEGIES.pop("mine", None)


def asked(world, *words):
    line = ["rank", str(world / "mine.py"), "--against", str(world / "published")]
    return CliRunner().invoke(main, [*line, "--results", str(world / "own"), *words])


def test_a_strategy_has_its_place_among_the_others(world):
    done = asked(world, "--json")
    assert done.exit_code == 0, done.output
    found = json.loads(done.stdout)["mine"]
    assert found["whole"]
    assert [place["rank"] for place in found["places"]] == [2, 2]
    for place in found["places"]:
        assert (place["among"], place["n"]) == (4, 10)
        verdicts = {rival["label"].split()[0]: rival["verdict"] for rival in place["rivals"]}
        assert verdicts["hashed_net"] == "better"
        assert {rival["tests"] for rival in place["rivals"]} == {6}
        for rival in place["rivals"]:
            expected = LEVEL["mine"] - LEVEL[rival["label"].split()[0]]
            assert rival["difference"] == pytest.approx(expected, abs=0.01)
    assert found["left_out"] == []


def test_the_first_line_says_what_it_costs_and_the_answer_fits_a_terminal(world):
    done = asked(world, "--quick")
    assert done.exit_code == 0, done.output
    first, second, *_ = done.output.splitlines()
    assert first == (
        "rank: mine: at most 15 runs, 0.9 minutes (4 trials a search, 3 fresh seeds, 1 size: less "
        "effort than the others had)"
    )
    assert second.startswith("mine, multiplexed: ")
    assert "mine: 4 trials a search, 3 fresh seeds" in done.stdout
    assert "not told apart from" in done.stdout
    assert max(map(len, done.stdout.splitlines())) <= WIDTH


def test_a_strategy_that_raises_is_not_run(world):
    lines = [
        "from ue_bench.strategies.methods.hashing_trick import HashingTrick",
        "class Mine(HashingTrick):",
        "    def embed(self, slots):",
        "        return 1 // 0",
    ]
    entry = PLUGIN.replace('"ue_bench.strategies.methods.hashing_trick:HashingTrick"', "Mine")
    (world / "mine.py").write_text("\n".join(lines) + entry)
    done = asked(world, "--quick")
    assert done.exit_code == 1
    cost, form, cause = done.output.splitlines()
    assert cost.startswith("rank: mine: at most 15 runs")
    assert form.startswith("mine, multiplexed: ")
    place = "  mine.py, line 4, in embed: ZeroDivisionError: integer division or modulo by zero"
    assert re.fullmatch(rf"{place} \(in \d\d tests\)", cause)
    with pytest.raises(BenchError, match=r"mine fails the contract: mine\.py, line 4, in embed"):
        ue_bench.rank(world / "mine.py", against=world / "published", results=world / "own")
    assert not (world / "own").exists()


def test_what_runs_on_streams_alone_is_not_ranked(world):
    text = PLUGIN.replace('source="a test",', 'source="a test", grows=True, stream_only=True,')
    (world / "mine.py").write_text(text)
    done = asked(world)
    assert done.exit_code == 2
    assert "mine can be run on a stream alone" in done.stderr


def test_python_ranks_as_the_command_does(world):
    found = json.loads(asked(world, "--quick", "--json").stdout)
    line = {"against": world / "published", "results": world / "own", "quick": True}
    ranked = ue_bench.rank(str(world / "mine.py"), **line)
    assert ranked.data == found
    assert str(ranked) == rank_text("mine", found["mine"])
    assert repr(ranked) == "<Ranked mine: rank 2 of 4>"
    (row,) = ranked.places.rows(named=True)
    (place,) = found["mine"]["places"]
    assert row == {"strategy": "mine", **{name: place[name] for name in COLUMNS}}
    assert "<td>2 of 4</td>" in ranked._repr_html_()
    assert {run.config.strategy for run in ranked.runs} == {"mine"}


def test_the_command_of_a_page_is_the_one_that_was_given(world, monkeypatch):
    """A shell splits it where it was split, whatever the names of the files."""
    lines = []

    def written(evidence, out, *, again, **_):
        lines.extend(again)
        return SimpleNamespace(page=out)

    monkeypatch.setattr("ue_bench.report.assemble.write_report", written)
    file = (world / "mine.py").rename(world / "it's mine.py")
    places = {"against": world / "published", "results": world / "the own"}
    ranked = ue_bench.rank(file, quick=True, minutes=0.5, workers=2, **places)
    ranked.report(world / "a page")
    command, *words = shlex.split(lines[0])
    assert [command, *words] == [
        *("ue-bench", "rank", str(file), "--quick", "--minutes", "0.5"),
        *("--against", str(places["against"]), "--results", str(places["results"])),
        *("--workers", "2", "--out", str(world / "a page")),
    ]

    done = CliRunner().invoke(main, [*words, "--json"])
    assert done.exit_code == 0, done.output
    assert json.loads(done.stdout) == ranked.data
    assert lines == [lines[0]] * 2


@pytest.mark.parametrize(
    ("wrong", "told"),
    [
        ({"workers": 0}, "workers=0 was given; give a whole number of at least 1"),
        ({"workers": -1}, "workers=-1 was given"),
        ({"workers": "2"}, "workers='2' was given"),
        ({"workers": 1.5}, "workers=1.5 was given"),
        ({"workers": True}, "workers=True was given"),
        ({"workers": None}, "workers=None was given"),
        ({"minutes": -1}, "minutes=-1 was given; give a number above 0"),
        ({"minutes": 0}, "minutes=0 was given"),
        ({"minutes": float("nan")}, "minutes=nan was given"),
        ({"minutes": "5"}, "minutes='5' was given"),
        ({"minutes": True}, "minutes=True was given"),
        ({"on": 5}, "on=5 was given; give the names of worlds in a tuple"),
        ({"on": "ml-100k"}, "on='ml-100k' was given"),
        ({"on": ("ml-100k", 5)}, "on=('ml-100k', 5) was given"),
    ],
)
def test_what_the_command_refuses_is_one_line_in_python(world, wrong, told):
    with pytest.raises(BenchError) as raised:
        ue_bench.rank(
            world / "mine.py", against=world / "published", results=world / "own", **wrong
        )
    assert str(raised.value).startswith(f"rank: {told}")
    assert not (world / "own").exists()


@pytest.mark.slow
def test_a_page_has_the_published_records_and_marks_the_own_ones(world):
    done = asked(world, "--quick", "--out", str(world / "page"))
    assert done.exit_code == 0, done.output
    page = (world / "page" / "report.html").read_text()
    assert done.stdout.splitlines()[-1] == f"page: {world / 'page' / 'report.html'}"
    board = page[page.index('<section id="board">') :]
    board = board[: board.index("</section>")]
    marked = re.findall(r'<tr class="subject">\s*<td[^>]*>([^<]*)</td>', board)
    assert marked == ["mine"]
    assert board.count("<tr>") > 3
    assert "a hashed table" in page
    assert f"ue-bench rank {world / 'mine.py'} --quick --against {world / 'published'}" in page
    assert f"--results {world / 'own'} --workers 1 --out {world / 'page'}\n" in page
    summary = (world / "page" / "tables" / "summary.csv").read_text()
    assert "mine" in summary
    assert "robe" in summary


@pytest.mark.slow
def test_more_effort_goes_on_from_less(world):
    asked(world, "--quick")
    before = {path.name for path in (world / "own" / "methods").glob("*.json")}
    assert asked(world).exit_code == 0
    after = {path.name for path in (world / "own" / "methods").glob("*.json")}
    assert before < after


def test_it_is_searched_at_the_sizes_that_are_published(world):
    load_plugin(world / "mine.py")
    runs, _ = records_room.load_runs(world / "published", "methods")
    small, large = sorted({run.config.budget for run in runs} - {None})
    assert small == large // 4
    (world / "some" / "methods").mkdir(parents=True)
    of_one_size = [run for run in runs if run.config.budget == large]
    write_packed(of_one_size, world / "some" / "methods" / PACKED)
    (search,) = room.prepare(["mine"], world / "some").parts
    assert search.compression == 16
    elsewhere = []
    for run in of_one_size:
        config = replace(run.config, budget=777)
        elsewhere.append(replace(run, config=config, run_id=config.run_id))
    write_packed(elsewhere, world / "some" / "methods" / PACKED)
    with pytest.raises(BenchError, match="no runs at a size of study methods"):
        room.prepare(["mine"], world / "some")


@pytest.mark.parametrize(
    ("minutes", "trials", "seeds", "sizes"),
    [(None, 24, 10, 2), (1e6, 24, 10, 2), (0.01, 4, 3, 1), (5.0, 12, 5, 2)],
)
def test_minutes_choose_the_most_effort_that_they_allow(world, minutes, trials, seeds, sizes):
    load_plugin(world / "mine.py")
    ranking = room.affordable(room.prepare(["mine"], world / "published"), False, minutes, 1)
    assert {(part.trials, part.seeds) for part in ranking.parts} == {(trials, seeds)}
    assert len(ranking.parts) == sizes
    assert ranking.whole == (trials == 24)
    least = trials == 4
    assert minutes is None or least or ranking.minutes(1) <= minutes


def test_what_is_not_searched_like_the_others_is_refused(world, monkeypatch):
    load_plugin(world / "mine.py")
    changed = study_of(LEVEL)
    parts = tuple(replace(part, base=replace(part.base, patience=9)) for part in changed.parts)
    monkeypatch.setattr(by_name, "_study_of", lambda name: replace(changed, parts=parts))
    done = asked(world)
    assert "It has no place" in done.stdout
    assert "patience is 9" in " ".join(done.stdout.split())


def test_a_published_name_and_an_empty_folder_are_one_line(world):
    with pytest.raises(BenchError, match="a published strategy has this name"):
        room.prepare(["robe"], world / "published")
    with pytest.raises(BenchError, match="has no records of study methods"):
        room.prepare(["mine"], world / "nowhere")


def test_a_compact_record_is_a_record_and_compares_alike(published):
    whole, _ = records_room.load_runs(published / "whole")
    kept, skipped = records_room.load_runs(published / "compact")
    assert skipped == []
    assert [run.run_id for run in kept] == [run.run_id for run in whole]
    for before, after in zip(whole, kept, strict=True):
        assert compact(after) == after
        assert run_facts(after) == run_facts(before)
        assert after.quality["val_mse"] == before.quality["val_mse"]
        if before.phase == "search":
            assert after.quality["test_mse"] is None
        else:
            assert after.quality["test_mse"] == before.quality["test_mse"]


def test_a_rank_without_a_place_is_told():
    text = rank_text(
        "mine",
        {"effort": "x", "whole": True, "places": [], "over_worlds": None, "left_out": ["y" * 9]},
    )
    assert "It has no place" in text
    assert "left out: yyyyyyyyy" in text


def test_a_refused_arm_of_a_longer_name_is_of_another_strategy(tmp_path, monkeypatch):
    scores = [0.85 + 0.001 * seed for seed in range(6)]
    rivals = fake_records.arm(scores, strategy="robe")
    refused = fake_records.arm(scores, strategy="unified", hidden=32)
    own = fake_records.arm(scores, strategy="uni")
    monkeypatch.setitem(STRATEGIES, "uni", STRATEGIES["unified"])
    ranking = room.Ranking(("uni",), study_of(["unified"]).parts, True, (*rivals, *refused))
    found = room.standings(ranking, own)["uni"]
    assert (len(found["places"]), found["left_out"]) == (1, [])

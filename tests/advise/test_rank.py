"""The rank of a new strategy among published ones: effort, places, tests, refusals."""

import errno
import json
import os
import random
import re
import shlex
import shutil
import stat
from dataclasses import replace
from functools import cache
from types import SimpleNamespace

import fake_records
import fake_workers
import pytest
from click.testing import CliRunner

import ue_bench
from ue_bench import record as records_room
from ue_bench.advise import community, pinned_versions, rerun, submission, submitted_beside
from ue_bench.advise import rank as room
from ue_bench.advise.rank_text import WIDTH, rank_text
from ue_bench.advise.ranked import COLUMNS
from ue_bench.cli import check_command, main
from ue_bench.config import RunConfig
from ue_bench.data.loading import checksum_of
from ue_bench.errors import BenchError
from ue_bench.record.compact import compact
from ue_bench.record.data_identity import ROWS_OF_FILES
from ue_bench.record.packed import PACKED, write_packed
from ue_bench.record.store import pack_compact
from ue_bench.report.evidence.board import boards
from ue_bench.report.evidence.evidence import Evidence
from ue_bench.strategies import STRATEGIES, load_plugin
from ue_bench.study import Study, by_name, local_executor
from ue_bench.study.fair_searches import fair_searches
from ue_bench.study.local_executor import LocalExecutor
from ue_bench.study.plan import Plan

OTHER_FILES = f"sha256:{'1' * 64}"
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
    env = {"ue_bench": "1.0", "versions": dict.fromkeys(pinned_versions.PINNED, "2.0")}
    return replace(run, quality=run.quality | {"anchors": anchors}, cost=cost, env=env)


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
        patch.setattr(local_executor, "Sampler", fake_workers.InMemory)
        LocalExecutor(Plan("methods", others), folder / "whole").run()
    pack_compact(folder / "whole", "methods", folder / "compact")
    return folder


@pytest.fixture
def world(tmp_path, monkeypatch, published):
    """Published strategies, a new one in the list, and runs that take no time."""
    (tmp_path / "mine.py").write_text(PLUGIN)
    monkeypatch.setattr(local_executor, "Workers", Quick)
    monkeypatch.setattr(local_executor, "Sampler", fake_workers.InMemory)
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
    (row,) = re.findall(r'<tr class="subject">.*?</tr>', board, re.DOTALL)
    assert row.count("<td>no</td>") == 1, "nobody has verified it"
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


# ---- a place on the board


@pytest.fixture(scope="module")
def prepared(tmp_path_factory):
    """Keeps a folder from the first whole submission on."""
    return tmp_path_factory.mktemp("prepared")


@pytest.fixture
def submitted(world, prepared):
    """A whole submission, with the runs that it was made from."""
    if not (prepared / "community").exists():
        assert asked(world).exit_code == 0
        done = submit(world)
        assert done.exit_code == 0, done.output
        for name in ("own", "community"):
            shutil.copytree(world / name, prepared / name)
    else:
        for name in ("own", "community"):
            shutil.copytree(prepared / name, world / name)
        load_plugin(world / "mine.py")
    return world / "community" / "my-method"


def submit(world, name="my-method"):
    line = ["submit", str(world / "mine.py"), "--name", name, "--licence", "MIT"]
    where = ["--results", str(world / "own"), "--out", str(world / "community")]
    return CliRunner().invoke(main, [*line, *where])


def checked(folder, world):
    line = ["check", "--submission", str(folder), "--against", str(world / "published")]
    return CliRunner().invoke(main, line)


def test_a_whole_submission_is_accepted_and_has_its_places(submitted, world):
    names = {path.relative_to(submitted).as_posix() for path in submitted.rglob("*.*")}
    expected = {"mine.py", "requirements.txt", "submission.toml", "methods/records.jsonl.xz"}
    assert names == expected
    assert "torch==" in (submitted / "requirements.txt").read_text()
    done = checked(submitted, world)
    assert done.exit_code == 0, done.output
    assert "rank 2 of 4 by budget" in done.output
    assert "nothing is wrong" in done.output


def standings(printed):
    """The lines of a printed board as (mark, mean rank, verified), by form."""
    lines = re.findall(r"^([ >]) +([\d.]+) .* (own|yes|no) +(\S.*)$", printed, re.MULTILINE)
    return {form: (mark, float(mean), verified) for mark, mean, verified, form in lines}


@pytest.mark.slow
def test_a_check_prints_the_board_without_the_entry_and_with_it(submitted, world):
    done = checked(submitted, world)
    places, without, with_it = re.split(r"The board with(?:out)? my-method:\n", done.output)
    assert "rank 2 of 4 by budget" in places
    assert set(standings(without)) == set(standings(with_it)) - {"mine"}
    assert standings(without)["unified"] == standings(with_it)["unified"] == (" ", 1.0, "own")
    assert standings(without)["robe multiplexed"][1] < standings(with_it)["robe multiplexed"][1]
    assert standings(with_it)["mine"] == (">", 2.0, "no")
    assert max(map(len, (places + without).splitlines())) <= WIDTH


def test_submitted_strategies_are_on_the_board_and_verified_where_a_rerun_said_so(submitted, world):
    evidence = Evidence(records_room.load_runs(world / "published")[0])
    (entry,) = submitted_beside.beside(world / "published")
    assert not entry.verified
    for verified, shown in ((False, "no"), (True, "yes")):
        (board,) = boards(evidence, "methods", [entry._replace(verified=verified)])
        (mine,) = [one for one in board.standings if one.strategy == "mine"]
        assert (mine.verified, mine.mean_rank) == (shown, 2.0)
    (board,) = boards(evidence, "methods")
    assert {one.verified for one in board.standings} == {"own"}
    assert "mine" not in {one.strategy for one in board.standings}


def test_two_submissions_of_one_strategy_are_refused(submitted):
    shutil.copytree(submitted, submitted.parent / "twin")
    with pytest.raises(BenchError, match="my-method has a strategy mine; rename one of them"):
        community.submitted(submitted.parent)


def edited(path, before, after):
    path.write_text(path.read_text().replace(before, after))


@pytest.mark.parametrize(
    ("spoil", "told"),
    [
        (lambda f: edited(f / "requirements.txt", "torch==2.0", "torch==9.9"), "pins torch==9.9"),
        (
            lambda f: edited(f / "submission.toml", "verified = false", "verified = true"),
            "verified = true without rerun.json",
        ),
        (lambda f: (f / "more.py").write_text("x = 1"), "more.py: only "),
        (lambda f: (f / "requirements.txt").unlink(), "requirements.txt: it is missing"),
        (lambda f: (f / "link.txt").symlink_to("/etc/passwd"), "link.txt: a symbolic link"),
        (lambda f: (f / "big.txt").write_bytes(bytes(5_000_001)), "a submission has at most"),
        (
            lambda f: (f / "mine.py").write_text((f / "mine.py").read_text() + "# edited\n"),
            "it was made with other code than mine.py",
        ),
        (
            lambda f: (f / "mine.py").write_text("import os\nos._exit(0)\n"),
            "my-method: the file ended the process (exit code 0)",
        ),
        (
            lambda f: (f / "submission.toml").write_text("name = 1\n"),
            "it does not say what it must",
        ),
    ],
)
def test_a_folder_that_is_no_submission_is_refused(submitted, world, spoil, told):
    spoil(submitted)
    done = checked(submitted, world)
    assert done.exit_code in (1, 2)
    assert told in done.output
    assert "nothing is wrong" not in done.output


def same_rows(run):
    """As it is where a zip with the published rows was read."""
    rows = ROWS_OF_FILES[checksum()]
    return replace(run, found=run.found | {"checksum": OTHER_FILES, "rows_checksum": rows})


def other_rows(run):
    return replace(run, found=run.found | {"checksum": OTHER_FILES, "rows_checksum": "sha256:0"})


@pytest.mark.parametrize(("change", "is_refused"), [(same_rows, False), (other_rows, True)])
def test_data_are_the_published_ones_where_their_rows_are(submitted, world, change, is_refused):
    whole = submission.read(submitted)
    anew = replace(whole, runs=tuple(map(change, whole.runs)))
    published = room.published_records(world / "published")
    told = list(submission.faults_of_runs(anew, published))
    assert len(told) == (len(whole.runs) if is_refused else 0), told
    assert all("it was made on other data than the published runs" in line for line in told)
    places = submission.places_of(anew, submission.evidence_of(anew, published))["mine"]
    assert {place["among"] for place in places} == {1 if is_refused else 4}


def test_a_refused_arm_of_a_longer_name_is_of_another_strategy(tmp_path, monkeypatch):
    scores = [0.85 + 0.001 * seed for seed in range(6)]
    rivals = fake_records.arm(scores, strategy="robe")
    refused = fake_records.arm(scores, strategy="unified", hidden=32)
    own = fake_records.arm(scores, strategy="uni")
    monkeypatch.setitem(STRATEGIES, "uni", STRATEGIES["unified"])
    ranking = room.Ranking(("uni",), study_of(["unified"]).parts, True, (*rivals, *refused))
    found = room.standings(ranking, own)["uni"]
    assert (len(found["places"]), found["left_out"]) == (1, [])

    about = submission.About("my-method", "mine.py", ["uni"], "MIT")
    given = submission.Submission(tmp_path, about, tuple(own), ())
    evidence = submission.evidence_of(given, ranking.published)
    assert len(evidence.arms.refused) == 1
    assert list(submission.faults_of_places(given, evidence)) == []


def test_records_that_are_faulty_are_compared_with_none(submitted, world, monkeypatch):
    """What a submission has in its records is told, and nothing is computed from it."""
    edited(submitted / "mine.py", "a test", "another test")
    monkeypatch.setattr(submission, "evidence_of", lambda *_: 1 / 0)
    done = checked(submitted, world)
    assert done.exit_code == 1
    assert "it was made with other code than mine.py" in done.output


def test_less_effort_than_the_others_had_is_refused(world):
    ranked = asked(world, "--quick")
    assert ranked.exit_code == 0, ranked.output
    made = submit(world)
    assert made.exit_code == 0, made.output
    done = checked(world / "community" / "my-method", world)
    assert done.exit_code == 1
    assert "mine multiplexed at 1/16: its search has 4 trials of 24" in done.output
    assert "what it found ran on 3 fresh seeds of 10" in done.output
    assert "mine multiplexed at 1/64: its search is missing" in done.output


@pytest.mark.parametrize(
    ("name", "told"), [("My Method", "give 2 to 39 small letters"), ("../up", "give 2 to 39")]
)
def test_a_name_that_is_none_of_a_folder_is_one_line(world, name, told):
    done = submit(world, name)
    assert done.exit_code == 2
    assert told in done.output
    assert not (world / "community").exists()


def test_nothing_to_submit_and_a_folder_that_exists_are_one_line(submitted, world):
    assert "exists; delete it" in submit(world).output
    line = ["submit", str(world / "mine.py"), "--name", "other", "--licence", "MIT"]
    done = CliRunner().invoke(main, [*line, "--results", str(world / "nothing")])
    assert done.exit_code == 2
    assert "has no run of mine" in done.output


@pytest.mark.parametrize(
    ("contact", "is_taken"),
    [
        ('é 😀 "\\', True),
        ("a line\n", False),
        ("\x1b[31m", False),
        ("\x7f", False),
        ("half \udcff", False),
        ("x" * 10_000, False),
    ],
)
def test_what_is_submitted_can_be_read(submitted, world, contact, is_taken):
    line = ["submit", str(world / "mine.py"), "--name", "mine-2", "--licence", "MIT"]
    where = ["--results", str(world / "own"), "--out", str(world / "out")]
    done = CliRunner().invoke(main, [*line, *where, "--contact", contact])
    assert done.exit_code == (0 if is_taken else 2), done.output
    assert (world / "out").exists() == is_taken
    if is_taken:
        assert submission.read(world / "out" / "mine-2").about.contact == contact


def full(*_):
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def stopped(*_):
    raise KeyboardInterrupt


@pytest.mark.parametrize(
    ("place", "broken", "code"),
    [
        ("os.fsync", full, 2),
        ("ue_bench.advise.submission.write_packed", stopped, 130),
        ("os.replace", full, 2),
    ],
)
def test_a_submission_is_written_whole_or_not_at_all(submitted, world, place, broken, code):
    shutil.rmtree(submitted)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(place, broken)
        done = submit(world)
    assert done.exit_code == code, done.output
    assert "Traceback" not in done.output
    assert code != 2 or "No space left on device" in done.output
    assert os.listdir(submitted.parent) == []
    assert submit(world).exit_code == 0
    mask = os.umask(0)
    os.umask(mask)
    assert stat.S_IMODE(submitted.stat().st_mode) == 0o777 & ~mask, "others may read it"


def test_a_link_to_nothing_is_in_the_place_of_a_submission(submitted, world):
    shutil.rmtree(submitted)
    submitted.symlink_to("gone")
    done = submit(world)
    assert (done.exit_code, "exists; delete it" in done.output) == (2, True)
    assert os.listdir(submitted.parent) == [submitted.name]


def test_what_is_submitted_is_the_code_that_was_loaded(submitted, world, monkeypatch):
    shutil.rmtree(submitted)
    pins = submission.pins_of

    def edit(runs):
        (world / "mine.py").write_text("# edited in the meantime\n")
        return pins(runs)

    monkeypatch.setattr(submission, "pins_of", edit)
    assert submit(world).exit_code == 0
    assert (submitted / "mine.py").read_text() == PLUGIN


def test_a_folder_that_was_never_finished_is_no_submission(submitted):
    shutil.copytree(submitted, submitted.parent / ".my-method-0123")
    assert [entry.name for entry in community.submitted(submitted.parent)] == ["my-method"]


BAD_LICENCES = [
    "",
    " ",
    "\x1b[31m",
    "<script>",
    "MIT\n",
    "MIT\nverified = true",
    "x" * 101,
    "M\u0130T",
]


@pytest.mark.parametrize("licence", BAD_LICENCES)
def test_a_licence_that_is_none_is_one_line(submitted, world, licence):
    line = ["submit", str(world / "mine.py"), "--name", "mine-2", "--licence", licence]
    where = ["--results", str(world / "own"), "--out", str(world / "out")]
    done = CliRunner().invoke(main, [*line, *where])
    told = f"licence: {licence[:100]!r} was given; give an SPDX identifier, such as MIT"
    assert (done.exit_code, done.output) == (2, f"Error: {told}\n")
    assert not (world / "out").exists()
    read = submission.read(submitted)
    read.about.licence = licence
    assert list(submission.faults_of_files(read)) == [f"submission.toml: {told}"]


@pytest.mark.parametrize(
    "licence", ["MIT", "0BSD", "GPL-2.0+", "Apache-2.0 OR (MIT AND BSD-3-Clause)"]
)
def test_licences_and_their_expressions_are_taken(submitted, licence):
    read = submission.read(submitted)
    read.about.licence = licence
    assert list(submission.faults_of_files(read)) == []
    read.about.contact = "me\x1b[2J"
    (fault,) = submission.faults_of_files(read)
    assert (
        fault == "submission.toml: contact: 'me\\x1b[2J' was given; give visible characters alone"
    )


# ---- what a stranger may send


def rewritten(folder, change):
    """Change the confirmed runs of a submission, and pack them again."""
    runs = []
    for run in records_room.load_runs(folder)[0]:
        runs.append(change(run) if run.phase == "confirm" else run)
    write_packed(runs, folder / "methods" / PACKED)


def other(**fields):
    def change(run):
        config = replace(run.config, **fields)
        return replace(run, config=config, run_id=config.run_id)

    return change


LIES = {
    "no test score": (
        lambda run: replace(run, quality=run.quality | {"test_mse": None}),
        "it has no test_mse",
    ),
    "nothing measured": (lambda run: replace(run, quality={}), "it has no val_mse"),
    "an error below 0": (
        lambda run: replace(run, quality=run.quality | {"test_mse": -1.0}),
        "quality.test_mse",
    ),
    "bytes": (
        lambda run: replace(run, cost=run.cost | {"total_bytes": 0}),
        "total_bytes 0 is not the sum of its parts",
    ),
    "another data set": (other(dataset="\x1b[31m<b>"), "no published run is of its data"),
    "a checksum that is a list": (
        lambda run: replace(run, found=run.found | {"checksum": ["x"]}),
        "it was made on other data",
    ),
    "a quoted phase": (lambda run: replace(run, phase="grid"), "it is of phase grid"),
    "epochs": (other(epochs=2**40), "it has no place among the published strategies"),
}


@pytest.mark.parametrize("lie", LIES)
def test_records_that_lie_are_refused(submitted, world, lie, monkeypatch):
    change, told = LIES[lie]
    monkeypatch.setattr(check_command, "_faults_of_code", lambda file, names: [])  # takes a second
    rewritten(submitted, change)
    done = checked(submitted, world)
    assert done.exit_code == 1, done.output
    assert told in done.output
    assert "nothing is wrong" not in done.output
    assert "\x1b" not in done.output


def escape(folder):
    (folder.parent / "evil.py").write_text("raise AssertionError('it ran')")


def link(folder):
    escape(folder)
    (folder / "mine.py").unlink()
    (folder / "mine.py").symlink_to(folder.parent / "evil.py")


def name_outside(folder):
    escape(folder)
    about = folder / "submission.toml"
    about.write_text(about.read_text().replace('"mine.py"', '"../evil.py"'))


def of_another(folder):
    rewritten(folder, other(strategy="unified", code=None))


@pytest.mark.parametrize(
    ("spoil", "told"),
    [
        (link, "mine.py: a symbolic link"),
        (name_outside, "is no Python file of the folder"),
        (lambda f: (f / "more.py").write_text("x = 1"), "more.py: only "),
        (lambda f: (f / "mine.py").write_text(PLUGIN + "#\n"), "made with other code than mine.py"),
        (of_another, "strategy unified is none of the submission"),
    ],
)
def test_a_rerun_runs_no_code_of_a_folder_with_a_fault(submitted, spoil, told):
    spoil(submitted)
    done = CliRunner().invoke(main, ["rerun", str(submitted)])
    assert done.exit_code == 1, done.output
    assert told in done.output
    assert "verified = false" in (submitted / "submission.toml").read_text()


def test_the_seeds_of_a_rerun_are_not_known_before(submitted, monkeypatch):
    """Who lies about some seeds is found out, and lies widen no tolerance."""
    held = {run.run_id: run for run in records_room.load_runs(submitted)[0]}
    monkeypatch.setattr(rerun, "run_once", lambda config: held[config.run_id])
    seeds = set()
    for _ in range(20):
        seeds |= {again.seed for again in rerun.rerun(submission.read(submitted), 1)}
    assert len(seeds) > 3

    def lie(run):
        score = -0.5 if run.config.init_seed % 4 == 0 else 0.0
        return replace(run, quality=run.quality | {"test_mse": run.quality["test_mse"] + score})

    rewritten(submitted, lie)
    again = list(rerun.rerun(submission.read(submitted), 10))
    wrong = [one for one in again if one.differs]
    assert {one.seed for one in wrong} == {one.seed for one in again if one.seed % 4 == 0}


@pytest.mark.parametrize("part", ["val_mse", "table_bytes", "exact_table_bytes"])
def test_a_rerun_compares_more_than_the_test_score(submitted, monkeypatch, part):
    def again(config):
        (run,) = [run for run in records_room.load_runs(submitted)[0] if run.config == config]
        changed = {}
        for name in ("quality", "cost", "found"):
            values = getattr(run, name)
            changed[name] = values | ({part: values[part] + 1} if part in values else {})
        return replace(run, **changed)

    monkeypatch.setattr(rerun, "run_once", again)
    done = CliRunner().invoke(main, ["rerun", str(submitted), "--seeds", "1"])
    assert done.exit_code == 1
    assert f"NOT as before ({part})" in done.output


@pytest.mark.parametrize(
    ("name", "text", "told"),
    [
        ("submission.toml", "name = " + "[" * 5_000, "recursion"),
        ("submission.toml", f"a{'.a' * 4_000} = 1", "more than 100 parts"),
        ("submission.toml", f"a{'.a' * 200_000} = 1", "more than 10,000"),
        ("methods/records.jsonl.xz", "0" * 5_000_001, "at most 5,000,000 bytes"),
        ("mine.py", "x = (", "is no Python ('(' was never closed"),
        ("mine.py", "raise SystemExit(0)", "ends the program when it is loaded"),
        ("mine.py", PLUGIN.replace('"mine":', "7:"), "a strategy is named 7"),
    ],
)
def test_a_file_that_is_a_trap_is_one_line(submitted, world, name, text, told):
    (submitted / name).write_text(text)
    done = checked(submitted, world)
    assert done.exit_code == 2, done.output
    assert told in done.output
    assert isinstance(done.exception, SystemExit)


def test_what_is_submitted_does_not_change_the_sizes_of_the_board(submitted, world):
    rewritten(submitted, lambda run: replace(run, found=run.found | {"exact_table_bytes": 2**60}))
    evidence = Evidence(records_room.load_runs(world / "published")[0])
    (board,) = boards(evidence, "methods", community.submitted(submitted.parent))
    (own,) = boards(evidence, "methods")
    assert board.exact_table_bytes == own.exact_table_bytes


def test_a_rerun_of_code_that_raises_is_one_line(submitted, monkeypatch):
    def again(config):
        exec(compile("\n\n1 / 0", submitted / "mine.py", "exec"))

    monkeypatch.setattr(rerun, "run_once", again)
    done = CliRunner().invoke(main, ["rerun", str(submitted)])
    assert done.exit_code == 2
    told = "mine.py, line 3, in <module>: ZeroDivisionError: division by zero; mend the file"
    assert done.output == f"Error: {told}\n"


@pytest.mark.parametrize(
    "error", [BenchError("training diverged"), SystemExit(0), KeyboardInterrupt()]
)
def test_a_rerun_that_comes_to_no_end_takes_mark_and_evidence_away(submitted, monkeypatch, error):
    held = {run.run_id: run for run in records_room.load_runs(submitted)[0]}
    monkeypatch.setattr(rerun, "run_once", lambda config: held[config.run_id])
    assert CliRunner().invoke(main, ["rerun", str(submitted)]).exit_code == 0
    assert rerun.is_verified(submission.read(submitted))
    n_made = 0

    def again(config):
        nonlocal n_made
        n_made += 1
        if n_made > 1:
            raise error
        return held[config.run_id]

    monkeypatch.setattr(rerun, "run_once", again)
    done = CliRunner().invoke(main, ["rerun", str(submitted)])
    assert "runs are as before" not in done.output
    assert "training diverged" in done.output or not isinstance(error, BenchError)
    assert "verified = false" in (submitted / "submission.toml").read_text()
    assert not (submitted / submission.EVIDENCE).exists()


@pytest.mark.parametrize("change", [0.0, 0.01])
def test_runs_that_are_made_again_decide_whether_it_is_verified(
    submitted, world, monkeypatch, change
):
    held = {run.run_id: run for run in records_room.load_runs(submitted)[0]}

    def again(config):
        run = held[config.run_id]
        return replace(run, quality=run.quality | {"test_mse": run.quality["test_mse"] + change})

    monkeypatch.setattr("ue_bench.advise.rerun.run_once", again)
    done = CliRunner().invoke(main, ["rerun", str(submitted)])
    assert done.exit_code == (1 if change else 0), done.output
    assert f"{0 if change else 4} of 4 runs are as before" in done.output
    is_verified = "verified = true" in (submitted / "submission.toml").read_text()
    assert is_verified == (change == 0)
    monkeypatch.setattr(check_command, "_faults_of_code", lambda file, names: [])  # takes a second
    told = checked(submitted, world).output
    assert "nothing is wrong" in told
    assert ("searched like the others, verified" in told) == is_verified

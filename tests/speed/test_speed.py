"""The clocks of `ue-bench speed` measure known ratios, every case runs, and records are printed."""

import json
import shutil
import time
from dataclasses import replace

import fake_records as fake
import pytest
import torch
from click.testing import CliRunner

from ue_bench.cli import main
from ue_bench.cli.check import check
from ue_bench.config import RunConfig
from ue_bench.record import SPEED, load, write
from ue_bench.report.evidence.arms import collect
from ue_bench.report.evidence.evidence import Evidence
from ue_bench.report.page.performance import amount, terminal
from ue_bench.report.page.prose import refresh
from ue_bench.speed import model_calls, peers, suite
from ue_bench.speed.cases import (
    CASES,
    cost_growth,
    forward_pass,
    report_time,
    serving,
    table_of_scale,
    torch_compile,
    training_speed,
    training_step,
    values_to_slots,
)
from ue_bench.speed.interleaved_timing import time_in_turns
from ue_bench.speed.line import Claim, Line


@pytest.mark.alone
def test_a_ratio_of_sleeps_is_known():
    times = time_in_turns(
        {"short": lambda: time.sleep(0.002), "long": lambda: time.sleep(0.006)},
        seconds=0.2,
        least=5,
    )
    assert 1.2 < times.ratio("long", "short") < 3.3
    assert 0.006 <= times.seconds("long") < 0.06
    assert len(times.samples["short"]) == len(times.samples["long"]) >= 5


def test_a_short_call_is_repeated_within_a_sample():
    called = []
    times = time_in_turns({"nothing": lambda: called.append(None)}, seconds=0.01, least=3)
    assert len(called) > 100 * len(times.samples["nothing"])
    assert times.seconds("nothing") < 1e-4


@pytest.mark.parametrize(
    ("ratio", "must", "reached"),
    [
        (1.15, "<= 1.15", True),
        (1.16, "<= 1.15", False),
        (1.0, "< 1", False),
        (20.0, ">= 20", True),
        (19.9, ">= 20", False),
        (3, "", None),
    ],
)
def test_a_claim_is_reached_or_not(ratio, must, reached):
    assert Claim(ratio, "x the limit", must).reached is reached


def test_peers_that_cannot_be_loaded_are_named(monkeypatch):
    monkeypatch.setattr(peers, "MODULES", dict.fromkeys(peers.MODULES, "no_such_module"))
    makers, note = peers.installed()
    assert list(makers) == ["nn.EmbeddingBag"]
    assert "FBGEMM TBE (No module named 'no_such_module'), TorchRec" in note
    assert "extra `peers`" in note


@pytest.mark.parametrize(
    "case",
    [forward_pass, values_to_slots, training_step, cost_growth, serving],
    ids=lambda case: case.__name__.rpartition(".")[2],
)
def test_a_case_measures_what_it_says(case, monkeypatch):
    """Each asserts for itself that its rivals find the same; here the clocks are short."""
    monkeypatch.setattr(
        case,
        "time_in_turns",
        lambda calls, seconds, **how: time_in_turns(calls, 0.001, least=2, sample=1e-5),
    )
    monkeypatch.setattr(model_calls, "VALUES", 1_400)
    monkeypatch.setattr(training_step, "SIZES", (100, 1_000))
    monkeypatch.setattr(serving, "ROWS", 600)
    monkeypatch.setattr(serving, "BATCH", 64)
    monkeypatch.setattr(cost_growth, "GRID", {"batch": (16, 64), "rows": (100, 1_000)})
    lines = list(case.measure(quick=True))
    assert all(line.value > 0 and line.claims for line in lines)
    assert all(value > 0 for line in lines for value in line.beside.values())
    assert len({line.what for line in lines}) == len(lines)


@pytest.mark.slow
@pytest.mark.skipif(
    not any(map(shutil.which, torch_compile.COMPILERS)), reason="torch.compile needs a C++ compiler"
)
def test_what_is_compiled_is_timed_beside_the_eager_program(monkeypatch):
    monkeypatch.setattr(
        torch_compile,
        "time_in_turns",
        lambda calls, seconds: time_in_turns(calls, 0.001, least=2),
    )
    lines = list(torch_compile.measure(quick=True))
    assert [line.what for line in lines] == ["lookup, batch 256", "training step, batch 256"]
    assert all(line.beside["compiling"] > line.value for line in lines)


def test_without_a_compiler_nothing_is_compiled(monkeypatch):
    monkeypatch.setattr(torch_compile, "COMPILERS", ("no-such-program",))
    (line,) = torch_compile.measure(quick=True)
    assert (line.value, "no-such-program" in line.note) == (None, True)


def test_the_times_of_the_operations_of_a_step_add_up(monkeypatch):
    run = {
        "rows_a_second": 9.0,
        "straightforward_rows_a_second": 3.0,
        "times_as_fast": 3.0,
        "val_mse": 0.9,
        "straightforward_val_mse": 0.91,
    }
    monkeypatch.setattr(training_speed, "compare", lambda seeds: [run])
    monkeypatch.setattr(training_speed, "STEPS", 10)
    speed, where = training_speed.measure(quick=True)
    assert [claim.reached for claim in speed.claims] == [True, True]
    assert sum(where.beside.values()) == pytest.approx(where.value)
    assert any("Adam" in name or "adam" in name for name in where.beside)


def trained_table(rows, dim, lookups):
    """A table that only autograd trains."""
    weight = torch.randn(rows, dim, requires_grad=True)
    return lambda slots: weight[slots].flatten(1)


@pytest.mark.slow
def test_the_table_of_scale_has_rows_steps_and_runs(monkeypatch):
    monkeypatch.setattr(table_of_scale, "ROWS", 50 * 260_000)  # of fewer nothing is kept
    monkeypatch.setattr(table_of_scale, "TABLES", (1_000, 10_000))
    log = RunConfig(dataset="click-world-1000@0", task="binary", budget=10_000)
    monkeypatch.setattr(table_of_scale, "LOGS", (log,))
    monkeypatch.setattr(table_of_scale, "WORKERS", 2)
    monkeypatch.setattr(peers, "installed", lambda: ({"FBGEMM TBE": None}, ""))
    monkeypatch.setitem(peers.TRAINED, "FBGEMM TBE", trained_table)
    monkeypatch.setattr(model_calls, "VALUES", 1_400)
    monkeypatch.setattr(
        table_of_scale,
        "time_in_turns",
        lambda calls, seconds, **how: time_in_turns(calls, 0.001, least=2, sample=1e-5),
    )
    lines = list(table_of_scale.measure(quick=True))
    assert all(line.value > 0 for line in lines)
    first, at_peak, *_, last = lines
    assert first.what == "first contact with 260,000 ratings"
    assert first.beside["pandas"] > 0
    assert [line.claims[0].must for line in (first, at_peak)] == [">= 5", "<= 2"]
    assert at_peak.beside["coded arrays"] > 260_000 * (4 + 4 + 4 + 8)  # ids, rating, time
    (share,) = [line for line in lines if "matrix factorisation" in line.what]
    expected = share.value / (share.value + share.beside["one epoch"])
    assert (share.claims[0].ratio, share.claims[0].must) == (expected, "<= 0.2")
    steps = [line for line in lines if line.what.startswith("a step on")]
    assert [line.what for line in steps] == ["a step on 100 rows", "a step on 1,000 rows"]
    for line in steps:
        assert set(line.beside) == {"with FBGEMM TBE"}
        assert (line.claims[0].of, line.claims[0].must) == ("x FBGEMM TBE", "<= 1.1")
    (later,) = [line for line in lines if line.what.endswith("to the first step")]
    assert later.value < 10 * table_of_scale.MOST_SECONDS
    (together,) = [line for line in lines if line.what.endswith("2 runs add together")]
    assert 0.5 < together.value / together.beside["one alone"] < 4
    # A record of some kB is kept in a fraction of that.
    assert last.value < last.beside["a record's text"] / 2


@pytest.mark.slow
def test_the_records_of_the_report_are_those_of_many_strategies(tmp_path):
    count = report_time.write_many(tmp_path, report_time.real_record(), seeds=1)
    records, skipped = load(tmp_path)
    assert (len(records), skipped) == (count, [])
    assert 13_000 <= count * report_time.SEEDS < 14_000
    assert len(collect(records).kept) == count


@pytest.mark.parametrize("quick", [False, True])
def test_the_report_is_timed_over_made_records_and_over_published_ones(
    quick, tmp_path, monkeypatch
):
    asked = []

    def seconds(results):
        asked.append(results)
        return 30.0

    published = tmp_path / "published"
    published.mkdir()
    monkeypatch.setattr(report_time, "PUBLISHED", published)
    monkeypatch.setattr(report_time, "processor_seconds", seconds)
    monkeypatch.setattr(report_time, "run_once", lambda config, **_: fake.make(config))
    monkeypatch.setattr(report_time, "write_many", lambda results, template, seeds: 570 * seeds)
    made, *others = report_time.measure(quick)
    assert made.what == ("2,280 records" if quick else "13,110 records")
    assert [(claim.ratio, claim.of, claim.reached) for claim in made.claims] == [
        (1.5, "x 20 s", False)
    ]
    assert asked[1:] == ([] if quick else [published])
    assert [line.claims[0].of for line in others] == ([] if quick else ["x 60 s"])


def test_without_published_records_the_line_says_so(tmp_path):
    line = report_time.over_published(tmp_path / "nowhere")
    assert (line.value, line.claims) == (None, ())
    assert "is not in this folder" in line.note


@pytest.mark.slow
def test_the_time_of_a_report_is_that_of_a_process_of_its_own(tmp_path):
    for run in fake.study_grid(seeds=2):
        write(run, tmp_path)
    before = {path.name for path in tmp_path.iterdir()}
    assert 0.5 < report_time.processor_seconds(tmp_path) < 120
    assert {path.name for path in tmp_path.iterdir()} == before  # the page is elsewhere


LINES = [
    Line(
        "batch 256",
        12.3e-6,
        "s",
        {"bare": 11.9e-6},
        (Claim(1.034, "x the limit", "<= 1.15"), Claim(2.0, "x a peer", "< 1")),
        "a note",
    ),
    Line("a million", 81_234_567.0, "rows/s", {}, (Claim(-0.02, "slope"),)),
]


@pytest.fixture
def measured():
    record = suite.record("forward", False, [line.to_dict() for line in LINES])
    return replace(record, env=record.env | {"git_sha": "0" * 40, "git_dirty": False})


def test_a_case_is_told_in_80_columns(measured):
    told = terminal(measured)
    assert max(map(len, told.splitlines())) <= 80
    assert "batch 256: 12.3 µs" in told
    assert "1.03 x the limit (must be <= 1.15: reached)" in " ".join(told.split())
    assert "2.00 x a peer (must be < 1: NOT REACHED)" in " ".join(told.split())
    assert "a million: 81,200,000 rows/s" in told
    assert "-0.0200 slope" in told


@pytest.mark.parametrize(
    ("value", "unit", "told"),
    [
        (0.0693, "s", "69.3 ms"),
        (12.0, "s", "12.0 s"),
        (2e-9, "s", "2.00 ns"),
        (3.5e9, "B", "3.5 GB"),
        (0.477, "runs/s", "0.477 runs/s"),
    ],
)
def test_amounts_have_three_digits(value, unit, told):
    assert amount(value, unit) == told


def test_documents_are_made_from_the_records(measured, tmp_path):
    evidence = Evidence([measured, *fake.study_grid(seeds=2)])
    table = refresh("<!-- ue-bench: speed forward -->\n<!-- end -->", evidence)
    assert "| batch 256 | 12.3 µs | 1.03 x the limit (must be <= 1.15: reached);" in table
    assert "a note" in table
    claims = refresh("<!-- ue-bench: speed claims -->\n<!-- end -->", evidence)
    assert "| forward: batch 256 | 2.00 x a peer | < 1 | **no** |" in claims
    assert "slope" not in claims


def test_records_of_speed_are_no_runs(measured, tmp_path):
    runs = list(fake.study_grid(seeds=2))
    alone = Evidence(runs)
    both = Evidence([measured, *runs])
    assert both.speed == [measured]
    assert both.summary.equals(alone.summary)
    assert all(record.phase != SPEED for record in both.records)
    assert both.arms == alone.arms
    assert Evidence([measured]).arms == collect([])


def test_what_is_published_was_measured_whole_from_a_clean_commit(measured, tmp_path):
    write(measured, tmp_path)
    assert check(tmp_path) == []
    write(replace(measured, env=measured.env | {"git_dirty": True}), tmp_path)
    assert [fault.partition(": ")[2] for fault in check(tmp_path)] == [
        "not made from a clean commit"
    ]
    short = suite.record("forward", True, [])
    write(short, tmp_path)
    assert any("only whole and successful measurements" in fault for fault in check(tmp_path))


def test_the_command_measures_tells_and_keeps(tmp_path):
    done = CliRunner().invoke(
        main, ["speed", "start", "--quick", "--json", "--results", str(tmp_path)]
    )
    assert done.exit_code == 0, done.output
    told = json.loads(done.stdout)
    kept, _ = load(tmp_path, "speed-quick")
    assert told[0]["cost"] == kept[0].cost
    line = kept[0].cost["lines"][0]
    assert line["what"] == "ue-bench --help"
    assert line["value"] > line["beside"]["python -c ''"] > 0


def test_an_unknown_case_is_refused(tmp_path):
    done = CliRunner().invoke(main, ["speed", "forwards", "--results", str(tmp_path)])
    assert done.exit_code == 2
    assert "did you mean 'forward'" in done.output
    assert not list(tmp_path.iterdir())


@pytest.mark.slow
def test_a_report_is_of_runs(measured, tmp_path):
    write(measured, tmp_path / "speed-alone")
    done = CliRunner().invoke(main, ["report", "--results", str(tmp_path / "speed-alone")])
    assert done.exit_code == 2
    assert "has no run, only measurements of ue-bench speed" in done.output
    for run in fake.study_grid(seeds=2):
        write(run, tmp_path / "both")
    write(measured, tmp_path / "both")
    done = CliRunner().invoke(main, ["report", "--results", str(tmp_path / "both")])
    assert done.exit_code == 0, done.output
    assert "ue-bench study speed" not in (tmp_path / "both" / "report" / "report.html").read_text()


@pytest.mark.parametrize("name", CASES)
def test_every_case_has_a_title_and_measures(name):
    case = suite.load_case(name)
    assert case.TITLE
    assert callable(case.measure)

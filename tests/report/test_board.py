"""The board: ranks, the set of the best, the worst size, why a form has no rank; the table in a browser."""

import json
from dataclasses import replace

import chromium
import fake_records as fake
import pytest
from click.testing import CliRunner

from ue_bench.cli import main
from ue_bench.errors import BenchError
from ue_bench.record import failure
from ue_bench.report import build
from ue_bench.report.evidence.board import NO_BUDGET, boards
from ue_bench.report.evidence.evidence import Evidence
from ue_bench.report.page.board_tables import board_tables
from ue_bench.report.page.prose import refresh

SMALL, LARGE = 14_016, 28_032
STUDY = "methods"


def runs(levels, strategy="unified", seeds=6, **asked):
    """Runs of one strategy, by budget; all arms share the noise of a seed."""
    for budget, level in levels.items():
        for seed in range(seeds):
            config = fake.config(strategy, seed=seed, budget=budget, **asked)
            noise = 0.004 * (seed % 3) + 0.0004 * ((7 * seed + len(strategy)) % 5)
            yield fake.make(config, STUDY, mse=level + noise)


def cannot_work(strategy, budget):
    asked = fake.config(strategy, budget=budget, regions="exact")
    return failure(asked, study=STUDY, phase="grid", cause="budget", error="raise it")


RECORDS = [
    *runs({SMALL: 0.86, LARGE: 0.88}),
    *runs({SMALL: 0.90, LARGE: 0.86}, "robe"),
    *runs({LARGE: 0.87}, "int4", regions="exact"),
    *runs({None: 0.85}, "collisionless", regions="exact"),
    cannot_work("int4", SMALL),
]


def of(records):
    (board,) = boards(Evidence(records), STUDY)
    return board, {standing.form: standing for standing in board.standings}


def test_a_row_has_ranks_its_worst_size_and_the_set_of_the_best():
    board, by_form = of(RECORDS)
    assert board.budgets == (SMALL, LARGE)
    assert board.world == "ml-100k, base"
    ranks = {form: [at.rank for at in one.sizes.values()] for form, one in by_form.items()}
    assert ranks == {"unified": [1, 3], "robe": [2, 1], "int4": [2], "collisionless": []}
    assert list(by_form) == ["robe", "unified", "int4", "collisionless"]
    budget, behind = by_form["unified"].worst
    assert (budget, behind) == (LARGE, pytest.approx(0.02, abs=0.001))
    assert by_form["robe"].worst[0] == SMALL
    assert by_form["collisionless"].worst is None
    assert [by_form[form].n_best for form in ("unified", "robe", "int4")] == [1, 1, 0]


def test_the_sets_of_the_best_are_those_of_the_verdicts():
    evidence = Evidence(RECORDS)
    _, by_form = of(RECORDS)
    for _, row in evidence.verdicts.iterrows():
        at_size = by_form[row["group"]].sizes[row["budget"]]
        assert at_size.in_best == row["among_best"]


def test_a_form_without_a_rank_says_why():
    _, by_form = of([*RECORDS, *runs({LARGE: 0.95}, "tt_rec")])
    assert by_form["int4"].lacks == {SMALL: "cannot work at this budget"}
    assert by_form["tt_rec"].lacks == {SMALL: "not run"}
    assert by_form["collisionless"].lacks == {SMALL: NO_BUDGET, LARGE: NO_BUDGET}
    lines = board_tables(boards(Evidence(RECORDS), STUDY))
    assert "- No rank (cannot work at this budget): int4 (14 kB)." in lines
    assert "- No rank (keeps no budget): collisionless (at all sizes)." in lines


def test_validation_names_the_bits_of_a_form_and_the_cell_says_them():
    few = list(runs({SMALL: 0.80}, bits="int2"))
    _, by_form = of([*RECORDS, *few])
    assert by_form["unified"].sizes[SMALL].bits == "int2"
    assert by_form["unified"].sizes[LARGE].bits == "float32"
    (line,) = [
        line
        for line in board_tables(boards(Evidence([*RECORDS, *few]), STUDY))
        if line.startswith("| unified |")
    ]
    assert "| 1 (int2) | 3 |" in line


def test_all_bytes_and_latency_are_ranges_over_the_sizes_and_an_unstable_clock_is_marked():
    def clocked(unstable):
        for record in RECORDS:
            for row in record.cost.get("latency", []):
                row["unstable"] = unstable
            yield record

    stable = "\n".join(board_tables(boards(Evidence(list(clocked(False))), STUDY)))
    assert "| 14 kB to 27 kB |" in stable
    assert "~" not in stable
    marked = board_tables(boards(Evidence(list(clocked(True))), STUDY))
    assert "| ~" in "\n".join(marked)


def test_there_is_no_board_where_nothing_competes(tmp_path):
    assert boards(Evidence(list(runs({SMALL: 0.9}))), STUDY) == []
    assert boards(Evidence([]), STUDY) == []
    with pytest.raises(BenchError, match="names what no record has"):
        refresh("<!-- ue-bench: board other -->\n<!-- end -->", Evidence(RECORDS))
    fake.write_all(tmp_path / "results", fake.arm([0.9, 0.91]))
    page = build(tmp_path / "results", tmp_path / "out").page.read_text()
    assert 'id="board"' not in page


def test_data_hold_nothing_that_a_terminal_obeys(tmp_path):
    """JSON leaves DEL, the controls from U+0080 on and marks of direction as they are."""
    text = "\x1b[31m \x7f \x9b31m \u202e \u2028"
    bad = replace(RECORDS[0], study="odd", status="failed", cause="input", error=text)
    bad = replace(bad, quality={}, cost={}, found={})
    fake.write_all(tmp_path / "results", [*RECORDS, bad])
    done = CliRunner().invoke(main, ["report", "--results", str(tmp_path / "results"), "--json"])
    assert done.exit_code == 0, done.output
    assert done.stdout.removesuffix("\n").isprintable()
    assert text in [entry["error"] for entry in json.loads(done.stdout)["left_out"]["not_ok"]]


def test_the_report_as_data(tmp_path):
    fake.write_all(tmp_path / "results", RECORDS)
    line = ["report", "--results", str(tmp_path / "results"), "--json"]
    done = CliRunner().invoke(main, line)
    assert done.exit_code == 0, done.output
    data = json.loads(done.stdout, parse_constant=pytest.fail)  # neither NaN nor infinity
    assert [path.name for path in tmp_path.iterdir()] == ["results"]
    assert not (tmp_path / "results" / "report").exists()
    assert {arm["strategy"] for arm in data["arms"]} == {"unified", "robe", "int4", "collisionless"}
    assert len(data["verdicts"]) == 5
    (board,) = data["boards"][STUDY]
    assert [(one["form"], one["mean_rank"]) for one in board["standings"]][:2] == [
        ("robe", 1.5),
        ("unified", 2.0),
    ]
    assert board["standings"][0]["sizes"][0]["rank"] == 2
    (failed,) = data["left_out"]["not_ok"]
    assert (failed["strategy"], failed["cause"]) == ("int4", "budget")
    done = CliRunner().invoke(main, [*line, "--out", str(tmp_path / "out")])
    assert done.exit_code == 2
    assert "--json draws nothing" in done.output


# ---- in a browser


@pytest.fixture(scope="module")
def opened(tmp_path_factory):
    """A function that opens the report, with scripts or without."""
    folder = tmp_path_factory.mktemp("board")
    fake.write_all(folder / "results", RECORDS)
    path = build(folder / "results", folder / "out").page
    with chromium.opened() as new_page:

        def open_page(**settings):
            page = new_page(viewport={"width": 400, "height": 800}, **settings)
            page.goto(path.as_uri())
            return page

        yield open_page


def first_cells(page):
    return page.locator("#board tbody tr td:first-child").all_text_contents()


def test_the_board_follows_the_answer_and_sorts_by_click_and_by_key(opened):
    page = opened()
    sections = page.locator("main > section")
    assert [sections.nth(n).get_attribute("id") for n in range(4)] == [
        "answer",
        "board",
        "glance",
        "limits",
    ]
    assert first_cells(page) == ["robe", "unified", "int4", "collisionless"]
    heads = page.locator("#board th")
    at_small = heads.nth(2)
    assert "rank at 14 kB" in at_small.text_content()
    at_small.locator("button").click()
    assert at_small.get_attribute("aria-sort") == "ascending"
    assert first_cells(page)[:2] == ["unified", "robe"]
    page.keyboard.press("Enter")
    assert at_small.get_attribute("aria-sort") == "descending"
    assert first_cells(page)[:2] == ["robe", "unified"]
    assert page.locator("#board [aria-sort]").count() == 1
    width = page.evaluate("document.documentElement.scrollWidth")
    assert width <= 400


def test_a_size_leaves_its_rank_alone(opened):
    page = opened()
    heads = page.locator("#board th:visible")
    assert sum("rank at" in text for text in heads.all_text_contents()) == 2
    page.locator("#filters [name=size]").select_option("28 kB")
    assert [text for text in heads.all_text_contents() if "rank at" in text] == [
        "rank at 28 kB (1/8)"
    ]
    page.locator("#filters [name=size]").select_option("all")
    page.locator("#filters [name=method]").fill("ROBE")
    shown = page.locator("#board tbody tr:visible td:first-child")
    assert shown.all_text_contents() == ["robe"]


def test_without_scripts_it_is_a_plain_table(opened):
    page = opened(java_script_enabled=False)
    assert page.locator("#board button").count() == 0
    assert first_cells(page) == ["robe", "unified", "int4", "collisionless"]
    assert page.get_by_text("No rank (cannot work at this budget): int4 (14 kB).").is_visible()

"""Names come from plug-ins and from files: whatever they hold is shown as it is, and never obeyed.

They are those of strategies, knobs and studies, and of a table: its file, its columns and values.
"""

import io
import re
from dataclasses import replace

import chromium
import fake_records as fake
import polars as pl
import pytest
from click.testing import CliRunner
from markdown_it import MarkdownIt
from rich.console import Console

from ue_bench.cli import main
from ue_bench.errors import BenchError, one_line, visible
from ue_bench.record import write
from ue_bench.report import build
from ue_bench.report.evidence.evidence import Evidence
from ue_bench.report.format import plain
from ue_bench.report.page.markup import markdown
from ue_bench.report.page.prose import refresh
from ue_bench.report.page.terminal import print_summary

SCRIPT = "</script><script>window.hacked=1</script><img src=x onerror=window.hacked=2>"
STUDY = "<img src=x onerror=window.hacked=4>\"'&|`"
NAMES = {
    "script": SCRIPT,
    "quotes": "a\"b'c onmouseover=window.hacked=3",
    "entities": "a&amp;b &lt;i> &#60;b>",
    "table": "a|b\\|c | d",
    "code": "`a` ``b`` `",
    "comment": "a <!-- end --> b --> --!> c",
    "lines": "a\nb\r\n| c |\n\n# d",
    "separators": "a\u2028b\u2029c\x85d",
    "direction": "a\u202eb\u200fc",
    "control": "a\x1b[31mb\x07c\x00d\x7f",
    "markup": "[bold]a[/] [/x] [link=http://x]b",
    "markdown": "**a** _b_ ~~c~~ [d](http://x) ![e](http://x)",
    "math": r"$\frac$ a $x_1$ %d {b}",
}

# A table whose file, columns and values have the worst of all of these.
WORST = "<img src=x onerror=window.hacked={}>\"'&amp;|`\x1b[31m\u202e\r\n\x85# -->[/]$_1$"
DATASET, TEST_FILE, TARGET, POSITIVE = (WORST.format(number) for number in (5, 6, 7, 8))
COLUMNS = tuple(WORST.format(number) for number in (9, 10))
TABLE = {
    "files": DATASET,
    "test_files": TEST_FILE,
    "target": TARGET,
    "positive": POSITIVE,
    "features": list(COLUMNS),
}


def runs_on_a_table(monkeypatch):
    """Two strategies on a table of such names."""
    monkeypatch.setitem(fake.CARDINALITIES, "base", dict.fromkeys(COLUMNS, 1_000))
    found = {
        "warnings": [f"{COLUMNS[0]} is constant"],
        "entities": list(COLUMNS),
        "entities_chosen": ["name", "cardinality"],
    }
    for seed in (0, 1):
        for strategy, mse in (("unified", 0.9), ("per_feature", 0.95)):
            asked = fake.config(strategy, budget=28_032, seed=seed, dataset=DATASET, table=TABLE)
            yield fake.make(asked, "table", mse=mse + seed / 50, **found)


def runs(name: str, study: str = "odd"):
    """A strategy of that name, with a rival; a knob is named likewise."""
    for seed in (0, 1):
        own = fake.config(
            name, budget=28_032, seed=seed, options={name: name}, lookups={"user_id": 2}
        )
        yield fake.make(own, study, mse=0.9 + seed / 100)
        yield fake.make(
            fake.config("method", budget=28_032, seed=seed, lookups={"user_id": 2}),
            study,
            mse=0.95 + seed / 50,
        )
    yield replace(fake.failed(fake.config(name, budget=128, seed=9), study), error=f"{name}: no")


@pytest.fixture(scope="module")
def evidence():
    return Evidence([one for name in NAMES.values() for one in runs(name)])


@pytest.fixture(scope="module")
def results(tmp_path_factory):
    folder = tmp_path_factory.mktemp("names") / "results"
    with pytest.MonkeyPatch.context() as monkeypatch:
        on_a_table = list(runs_on_a_table(monkeypatch))
    odd = [one for name in NAMES.values() for one in runs(name)]
    for one in (*odd, *runs("unified", STUDY), *on_a_table):
        write(one, folder)
    for name in ("a\n\u202e<b>.json", SCRIPT.replace("/", "") + ".json", "\udcff.json"):
        (folder / "odd" / name).write_text("{")
    return folder


@pytest.fixture(scope="module")
def built(results):
    return build(results, results.parent / "out <i>&")


@pytest.fixture(scope="module")
def page(built):
    with chromium.opened() as new_page:
        page = new_page()
        page.heard = []
        page.on("console", lambda message: page.heard.append(message.text))
        page.on("pageerror", lambda error: page.heard.append(str(error)))
        page.goto(built.page.as_uri())
        yield page


def on_every_page(page, built, script):
    """What a script returns on the page of each study and on the report's, all in one list."""
    found = []
    for path in (*sorted(built.page.parent.glob("study-*.html")), built.page):
        page.goto(path.as_uri())
        found += page.evaluate(script)
    return found


def cells(page, built, selector):
    script = f"[...document.querySelectorAll({selector!r})].map(cell => cell.textContent)"
    return on_every_page(page, built, script)


def test_nothing_is_executed(page, built):
    assert set(on_every_page(page, built, "[window.hacked === undefined]")) == {True}
    assert page.heard == []
    scripts = on_every_page(page, built, "[document.scripts.length]")
    assert len(scripts) == 4
    assert set(scripts) == {1}
    others = "[document.querySelectorAll('main img:not([src^=data])').length]"
    assert set(on_every_page(page, built, others)) == {0}
    attributes = (
        "[...document.querySelectorAll('*')].flatMap(e => [...e.attributes].map(a => a.name))"
    )
    names = on_every_page(page, built, attributes)
    assert not [name for name in names if name.startswith("on")]
    links = "[...document.querySelectorAll('a')].map(a => a.getAttribute('href'))"
    allowed = r"#|data:text/csv;|https://arxiv\.org/abs/|report\.html$|study-[\w-]+\.html$"
    assert all(re.match(allowed, href) for href in on_every_page(page, built, links))


def test_no_file_of_a_report_holds_an_invisible_character(built):
    written = sorted(built.page.parent.rglob("*"))
    texts = [path for path in written if path.suffix in (".svg", ".csv", ".html")]
    assert {path.suffix for path in texts} == {".svg", ".csv", ".html"}
    for path in texts:
        content = path.read_text(encoding="utf-8")
        assert visible(content) == content, path


def test_names_are_shown_as_they_are(page, built):
    explained, told = (
        cells(page, built, "#strategies td:first-child"),
        cells(page, built, "#tables td:first-child"),
    )
    points, left_out = (
        cells(page, built, ".point title"),
        " ".join(page.locator("#left-out").text_content().split()),
    )
    for name in map(one_line, NAMES.values()):
        assert name in explained
        assert any(text.startswith(f"{name} user_id=2") for text in told)
        assert any(text.startswith(f"{name} user_id=2") for text in points)
    for name in NAMES.values():
        assert one_line(" ".join(f"{name}: no".split())) in left_out
    assert STUDY in cells(page, built, "#figures h3 code")


def test_the_names_of_a_table_are_shown_as_they_are(page, built):
    """Those of its data set, its columns and its values, in headings, tables and figures."""
    whole = " ".join(on_every_page(page, built, "[document.body.textContent]"))
    shown = [one_line(name) for name in (DATASET, TEST_FILE, *COLUMNS)]
    for name in (*shown, f"1 is {POSITIVE!r}"):
        assert name in whole, name
    marks = cells(page, built, ".point title")
    assert any("unified" in text for text in marks)


def test_a_table_keeps_its_columns(page, built):
    counts = "[...document.querySelectorAll('#tables table')].map(t => [...t.rows].map(r => r.cells.length))"
    widths = [set(one) for one in on_every_page(page, built, counts)]
    assert len(widths) >= 2
    assert all(len(one) == 1 for one in widths)


def test_each_file_that_is_no_record_is_named_in_one_line(built, page):
    assert len(built.skipped) == 3
    assert all(line.isprintable() for line in built.skipped)
    told = page.locator("#left-out").text_content()
    for name in (r"a\n\u202e<b>.json", "<script>window.hacked=1<script>", r"\udcff.json"):
        assert name in told


@pytest.mark.parametrize(
    "words",
    ["table odd", "answer odd", "abstract odd", "ranks odd", "board odd", "section odd power"],
)
def test_a_block_of_prose_stays_a_block(evidence, words):
    """The text around stays as it was, a second time changes nothing, and the tables have the columns of their head."""
    before, after = (
        f"# above\n\n<!-- ue-bench: {words} -->\n",
        "\n<!-- end -->\n\nbelow | not a cell\n",
    )
    text = refresh(f"{before}old{after}", evidence)
    assert text.startswith(before)
    assert text.endswith(after)
    assert refresh(text, evidence) == text
    assert "<" not in text[len(before) : -len(after)].replace("< 0.001", "")
    html = MarkdownIt("commonmark").enable("table").render(text)
    assert html.count("<!--") == 2
    assert not re.search(r"<(script|img|a|b|i|del)\b", html)
    assert "<p>below | not a cell</p>" in html
    for table in re.findall(r"<table>.*?</table>", html, re.DOTALL):
        rows = re.findall(r"<tr>.*?</tr>", table, re.DOTALL)
        assert len({len(re.findall("<t[dh][ >]", row)) for row in rows}) == 1


def test_a_block_that_has_nothing_is_refused(evidence):
    with pytest.raises(BenchError, match="names what no record has"):
        refresh("<!-- ue-bench: section odd forms -->\n<!-- end -->", evidence)


def test_plain_names_are_left_as_they_are():
    usual = (
        "per_feature 2×8 (sqrt)",
        "unified user_id*genres=2,movie_id=3",
        "robe separate 1×16 [block=4, lr=0.01]",
        "ml-100k",
    )
    for name in usual:
        assert plain(name) == name
    assert plain("__a__ *b*") == r"\_\_a\_\_ \*b\*"


@pytest.mark.parametrize("kind", NAMES)
def test_markdown_shows_a_name_as_it_is(kind):
    html = markdown([f"| {plain(NAMES[kind])} | x |", "|---|---|", "| y | z |"])
    (cell,) = re.findall(r"<th>(.*?)</th>\s*<th>x</th>", html, re.DOTALL)
    text = (
        cell.replace("&lt;", "<").replace("&gt;", ">").replace("&quot;", '"').replace("&amp;", "&")
    )
    assert text == one_line(NAMES[kind]).strip()


def test_a_terminal_shows_a_name_as_it_is(built, evidence):
    said = io.StringIO()
    print_summary(
        replace(built, evidence=evidence),
        Console(file=said, width=300, force_terminal=True, color_system=None),
    )
    for name in NAMES.values():
        assert f"{one_line(name)} user_id=2" in said.getvalue()
    assert all(char.isprintable() or char == "\n" for char in said.getvalue())


def test_commands_show_the_names_of_a_table_as_they_are(results, tmp_path, monkeypatch):
    monkeypatch.setenv("UE_BENCH_CACHE_SIZE", "0")
    path = tmp_path / (WORST.format(0).replace("/", "").replace(",", "") + ".parquet")
    rows = range(60)
    columns = {
        COLUMNS[0]: [f"{POSITIVE}{n % 7}" for n in rows],
        COLUMNS[1]: ["a" for _ in rows],
        TARGET: [(POSITIVE, "no")[n % 3 % 2] for n in rows],
    }
    pl.DataFrame(columns).write_parquet(path.with_name("t.parquet"))
    path.with_name("t.parquet").rename(path)
    asked = ["--dataset", str(path), "--features", ",".join(COLUMNS), "--target", TARGET]
    asked += ["--positive", POSITIVE]
    own = tmp_path / "results"
    trained = ["--strategy", "unified", "--budget", "2kB", "--epochs", "1", "--measure", "quality"]
    trained += ["--results", str(own)]
    for words in (
        ["data", *asked],
        ["data", *asked, "--json"],
        ["run", *asked, *trained],
        ["run", *asked, *trained, "--json"],
        ["data", *asked, "--positive", "other"],
        ["data", "--dataset", str(path), "--features", COLUMNS[0], "--target", "gone"],
        ["compare", "--results", str(results), "--study", "table", "unified", "per_feature"],
        ["advise", *asked[1:], "--memory", "2kB", "--time", COLUMNS[0]],
    ):
        done = CliRunner().invoke(main, words)
        assert done.exit_code in (0, 2), (words, done.exception)
        said = done.output
        assert all(char.isprintable() or char == "\n" for char in said), words
        if "--json" not in words:
            assert "window.hacked" in said, words
    half = path.rename(tmp_path / "a\udcff.parquet")
    done = CliRunner().invoke(main, ["data", *asked, "--dataset", str(half)])
    assert done.exit_code == 2, done.exception
    assert done.output.endswith("a\\udcff.parquet is no text in UTF-8; rename it\n")


def test_commands_show_a_name_as_it_is(results):
    done = CliRunner().invoke(main, ["check", "--results", str(results), "--", __file__])
    assert done.exit_code == 1
    for name in NAMES.values():
        assert one_line(f"unknown strategy {name!r}") in done.output
        compared = CliRunner().invoke(
            main, ["compare", "--results", str(results), "method", one_line(name)]
        )
        assert compared.exit_code == 0, compared.output
        assert one_line(name) in compared.output
        assert all(char.isprintable() or char == "\n" for char in done.output + compared.output)

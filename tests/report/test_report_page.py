"""The page in a browser: nothing from outside, no error, sorts, tells on hover, reads on a phone, in the dark and on paper."""

import base64
import re
import time
import webbrowser
from dataclasses import replace

import chromium
import fake_records as fake
import pytest
from click.testing import CliRunner
from playwright.sync_api import expect

from ue_bench.cli import main
from ue_bench.report import build
from ue_bench.report.evidence.arms import collect
from ue_bench.report.evidence.summary import summarise
from ue_bench.report.evidence.verdict import verdicts
from ue_bench.report.figures.picture import inline
from ue_bench.report.page import limits
from ue_bench.report.page.abstract import sentences
from ue_bench.report.page.markup import markdown
from ue_bench.strategies import STRATEGIES

EVIL = "<script>window.hacked=1</script>"
GROUND = "getComputedStyle(document.body).backgroundColor"


@pytest.fixture(scope="module")
def page_path(tmp_path_factory):
    folder = tmp_path_factory.mktemp("page")
    evil = [
        fake.make(
            fake.config(EVIL, budget=budget, seed=seed, options={EVIL: "[x](javascript:1)"}),
            "many",
            mse=0.91 + seed / 99,
        )
        for budget in (14_016, 28_032, 1_000_000)
        for seed in range(2)
    ]
    fake.write_all(folder / "results", [*fake.many_strategies(count=2, seeds=2), *evil])
    explained = {"method_00": ("the <first> & best", "Somebody, arXiv 2305.12102")}
    return build(folder / "results", folder / "out", strategies=explained).page


@pytest.fixture(scope="module")
def new_page():
    with chromium.opened() as new_page:
        yield new_page


@pytest.fixture(scope="module")
def heard():
    """What the page said and asked for: console messages, errors, addresses."""
    return {"console": [], "request": []}


@pytest.fixture(scope="module")
def page(new_page, page_path, heard):
    page = new_page(viewport={"width": 1280, "height": 900}, color_scheme="light")
    page.on("console", lambda message: heard["console"].append(message.text))
    page.on("pageerror", lambda error: heard["console"].append(str(error)))
    page.on("request", lambda request: heard["request"].append(request.url))
    page.goto(page_path.as_uri())
    return page


def column(page, place):
    return page.evaluate(
        f"[...document.querySelectorAll('#tables table tbody tr')].map(row => row.cells[{place}].textContent)"
    )


def test_nothing_comes_from_outside_and_nothing_is_wrong(page, page_path, heard):
    assert heard["console"] == []
    assert heard["request"]
    assert all(url.startswith(("file:", "data:")) for url in heard["request"])
    links = re.findall(r'(?:src|href)="([^"]*)"', page_path.read_text())
    assert all(re.match(r"#|data:|https://arxiv\.org/abs/", link) for link in links)
    assert len(page_path.read_bytes()) < 2_000_000


def test_a_name_from_a_record_is_text(page, page_path):
    assert page.evaluate("window.hacked") is None
    assert EVIL not in page_path.read_text()
    assert page.locator("script").count() == 1
    assert page.get_by_text(EVIL).count() > 3
    assert page.locator("a[href^=javascript]").count() == 0
    assert page.locator("#strategies tbody tr").count() == 3
    assert page.get_by_text("the <first> & best").count() == 1


def test_ids_are_unique_and_every_inner_link_leads_somewhere(page):
    ids = page.evaluate("[...document.querySelectorAll('[id]')].map(element => element.id)")
    assert len(ids) == len(set(ids)) > 20
    targets = page.evaluate(
        "[...document.querySelectorAll('a[href^=\"#\"], use')].map(a => a.getAttribute('href').slice(1))"
    )
    assert set(targets) <= set(ids)
    assert page.locator("nav a").count() >= 8


def test_a_column_sorts_by_click_and_by_key(page):
    head = page.locator("#tables th").nth(2)
    head.locator("button").click()
    assert head.get_attribute("aria-sort") == "ascending"
    assert [size for size in dict.fromkeys(column(page, 2)) if size] == [
        "14 kB",
        "28 kB",
        "56 kB",
        "1.0 MB",
    ]  # by unit
    assert column(page, 2)[-1] == ""  # what has no budget stays last
    page.keyboard.press("Enter")
    assert head.get_attribute("aria-sort") == "descending"
    assert column(page, 2)[0] == "1.0 MB"
    other = page.locator("#tables th").nth(0)
    other.locator("button").press("Space")
    assert head.get_attribute("aria-sort") is None
    names = [name for name in column(page, 0) if "method" in name]
    assert names == sorted(names)


def test_a_point_tells_its_configuration(page):
    point = page.locator("#glance .card .point").first
    told = point.locator("title").text_content()
    assert re.search(r"1×16.*\nbudget: .*\ntest MSE: 0\.\d{4} \[.*\]\nseeds: 2\n", told)
    point.scroll_into_view_if_needed()
    point.click()  # it can be pointed at
    assert page.locator("#glance .tapped").inner_text() == told
    assert page.evaluate("document.querySelectorAll('.chosen').length") == 1
    page.locator("#glance .card").click(position={"x": 2, "y": 2})
    assert page.locator("#glance .tapped").is_hidden()


def test_the_arrow_keys_go_from_mark_to_mark(page):
    card = page.locator("#glance .card").first
    n_points = card.locator(".point").count()
    assert n_points > 2
    shown = page.locator("#glance .tapped").first
    card.focus()
    told = []
    for key in ("ArrowRight", "ArrowRight", "ArrowLeft", "ArrowLeft"):
        card.press(key)
        told.append(shown.inner_text())
    first, second, again, last = told
    assert first == again
    assert len({first, second, last}) == 3
    points = card.locator(".point title").all_text_contents()
    assert [told.split() for told in (first, last)] == [points[0].split(), points[-1].split()]
    assert card.locator(".chosen").count() == 1
    assert "arrow keys" in card.get_attribute("aria-label")
    described = card.locator("svg").get_attribute("aria-describedby")
    assert len(page.locator(f"figcaption#{described}").inner_text()) > 100
    card.press("Escape")
    assert shown.is_hidden()


def test_the_data_of_a_figure_is_in_the_page(page, page_path):
    link = page.locator("#glance figcaption a")
    assert link.get_attribute("download") == "table_size.csv"
    data = base64.b64decode(link.get_attribute("href").split(",")[1])
    assert data == (page_path.parent / "tables" / "table_size.csv").read_bytes()


def test_no_sideways_scroll_on_a_phone(page):
    page.set_viewport_size({"width": 400, "height": 800})
    assert page.evaluate("document.documentElement.scrollWidth") == 400
    boxes = page.evaluate(
        "[...document.querySelectorAll('.wide')].map(box => box.getBoundingClientRect().right)"
    )
    assert max(boxes) <= 400
    assert page.evaluate(
        "[...document.querySelectorAll('.wide')].some(box => box.scrollWidth > box.clientWidth)"
    )
    page.set_viewport_size({"width": 1280, "height": 900})


def test_dark_is_dark_and_figures_stay_readable(page):
    assert page.evaluate(GROUND) == "rgb(255, 255, 255)"
    page.emulate_media(color_scheme="dark")
    assert page.evaluate(GROUND) == "rgb(20, 24, 29)"
    card = "getComputedStyle(document.querySelector('.card')).backgroundColor"
    drawn = "getComputedStyle(document.querySelector('.card svg')).filter"
    assert page.evaluate(card) == "rgb(20, 24, 29)"
    assert page.evaluate(drawn) == "invert(0.91) hue-rotate(180deg)"
    page.emulate_media(color_scheme="light")
    assert page.evaluate(card) == "rgb(255, 255, 255)"
    assert page.evaluate(drawn) == "none"


def test_what_is_wider_than_a_phone_says_so(page):
    hint = page.locator("#tables .wide + .hint").first
    table = page.locator("#tables .wide").first
    page.set_viewport_size({"width": 400, "height": 800})
    expect(hint).to_be_visible(timeout=60_000)
    table.evaluate("box => { box.scrollLeft = box.scrollWidth; }")
    expect(hint).to_be_hidden(timeout=60_000)
    left = "document.querySelector('#tables td:first-child').getBoundingClientRect().left"
    assert page.evaluate(left) >= 0  # the name of an arm stays beside its numbers
    page.set_viewport_size({"width": 1280, "height": 900})


def test_rows_of_a_long_table_are_filtered(page):
    box = page.locator("#tables .filter").first
    every = len(column(page, 0))
    visible = page.locator("#tables table tbody tr:visible")
    before = visible.count()
    box.fill("METHOD_00")
    shown = visible.all_inner_texts()
    assert 0 < len(shown) < before
    assert all("method_00" in text for text in shown)
    box.fill("")
    assert visible.count() == before == every


def test_all_tables_are_filtered_by_size_and_method(page):
    rows = page.locator("#tables table tbody tr:visible")
    before = rows.count()
    budgets = column(page, 2)
    wanted = "28 kB"
    page.locator("#filters [name=size]").select_option(wanted)
    shown = page.locator("#tables table tbody tr:visible td:nth-child(3)").all_text_contents()
    assert set(shown) <= {wanted, "", "–"}
    assert shown.count(wanted) == budgets.count(wanted) < before
    page.locator("#filters [name=size]").select_option("all")
    page.locator("#filters [name=method]").fill("method_00")
    assert all("method_00" in text for text in rows.all_inner_texts())
    assert 0 < rows.count() < before
    page.locator("#filters [name=method]").fill("")
    assert rows.count() == before


def test_a_rank_is_hidden_with_the_error_of_its_size(new_page, tmp_path):
    fake.write_all(tmp_path / "results", fake.many_strategies(count=10, seeds=2))
    page = new_page()
    page.goto(build(tmp_path / "results", tmp_path / "out").page.as_uri())
    page.evaluate("document.querySelectorAll('details').forEach(part => part.open = true)")
    ranks = page.locator("table.sorts").filter(
        has=page.locator("th", has_text=re.compile("^rank$"))
    )
    heads = ranks.first.locator("th:visible")
    before = [text.strip() for text in heads.all_inner_texts()]
    assert before.count("rank") == before.count("total") > 1
    page.locator("#filters [name=size]").select_option("28 kB")
    shown = [text.strip() for text in heads.all_inner_texts()]
    assert shown[0] == before[0]
    assert shown[1].startswith("28 kB")
    assert shown[2:] == ["rank", "total"]


def test_a_world_hides_the_tables_of_others(new_page, tmp_path):
    records = []
    for dataset in ("ml-100k", "flights"):
        for strategy in ("unified", "per_feature"):
            config = fake.config(strategy, budget=14_016, dataset=dataset)
            records.append(fake.make(config, "many"))
    fake.write_all(tmp_path / "results", records)
    page = new_page(viewport={"width": 1280, "height": 900})
    page.goto(build(tmp_path / "results", tmp_path / "out").page.as_uri())
    headings = page.locator("#tables h3:visible")
    assert headings.count() == 2
    page.locator("#filters [name=world]").select_option("flights")
    assert headings.count() == 1
    assert "(flights, " in headings.inner_text()
    assert page.locator("#tables table:visible").count() == 1


def test_the_error_is_the_first_number_of_a_row(page):
    heads = page.locator("#tables th").all_text_contents()
    assert heads[:2] == ["arm", "test MSE"]


def test_headings_have_links_to_themselves(page):
    for heading in page.locator("main h2, #tables h3").all():
        link = heading.locator("a.anchor")
        target = page.locator(f"[id='{link.get_attribute('href')[1:]}']")
        assert target.count() == 1
        assert heading.evaluate("(h, t) => t.contains(h)", target.element_handle())


def test_no_letter_of_a_figure_is_below_nine_pixels(page):
    heights = page.evaluate(
        """() => [...document.querySelectorAll('.card svg')].flatMap(svg => {
            const scale = svg.getBoundingClientRect().width / svg.viewBox.baseVal.width;
            return [...svg.querySelectorAll('text')].map(
                text => scale * parseFloat(getComputedStyle(text).fontSize));
        })"""
    )
    assert len(heights) > 50
    assert min(heights) >= 9


def test_on_paper_everything_is_open(page):
    page.emulate_media(media="print", color_scheme="dark")
    assert page.locator("details:not([open])").count() > 0
    page.evaluate("dispatchEvent(new Event('beforeprint'))")
    assert page.locator("details:not([open])").count() == 0
    assert page.locator("nav").is_hidden()
    assert page.evaluate(GROUND) == "rgb(255, 255, 255)"
    page.emulate_media(media="screen", color_scheme="light")


def test_markdown_of_a_record_is_harmless():
    html = markdown(
        [
            "- user_id*genres=2,movie_id*gender=3 <b>",
            "- ![a](http://x/y.png) [b](http://x) <http://x>",
            "- **strong**",
            "- study `table_size`",
        ]
    )
    assert "study <code>table_size</code>" in html
    assert "user_id*genres=2,movie_id*gender=3 &lt;b&gt;" in html
    assert "<strong>strong</strong>" in html
    assert not re.search("<(a|img|b)[ >]", html)


def test_rows_of_a_subject_are_marked_and_no_others():
    rows = ["| mine *2×8* | 1 |", "| two\\_hash multiplexed | 2 |", "| mine2 | 3 |", "| 4 | mine |"]
    html = markdown(["| mine | n |", "|---|---|", *rows], subjects=("mine", "two_hash"))
    assert html.count("<tr>") == 3
    marked = re.findall(r'<tr class="subject">\s*<td>(.*?)</td>', html)
    assert marked == ["mine <em>2×8</em>", "two_hash multiplexed"]
    assert "subject" not in markdown(["| mine |", "|---|", "| mine |"])


def test_what_is_no_saved_figure_is_refused():
    with pytest.raises(ValueError, match="not an SVG"):
        inline("<svg viewBox='0 0 1 1'></svg>", "a", "a", "a")


def told_of(records):
    records = list(records)
    arms = collect(records)
    summary = summarise(arms.kept)
    compared = verdicts(arms.kept, summary)
    return sentences(summary, compared), "\n".join(limits.lines(summary, compared, records))


def test_the_answer_in_four_sentences():
    (winner, tied, price, method), _ = told_of(fake.many_strategies(count=3, seeds=3))
    assert winner.startswith(
        "Validation names method_00 at all 3 budgets at which strategies are compared, and on test "
        "rows it is alone in the set of the best at each of them: the next best is 0.0030 [0.0030, "
        "0.0030] behind at "
    )
    assert "0.0030 [0.0030, 0.0030] at 14 kB (1/16 of the exact table)" in winner
    assert tied == "No other strategy is in the set of the best at any budget."
    assert method.endswith(
        "(Hsu's multiple comparison with the best); intervals are 95 %: corrected resampled t."
    )
    assert price.startswith(
        "The price: method_00 takes 14 kB to 55 kB in total; a lookup of 256 rows from raw values "
        "takes method_00 "
    )
    assert re.search(r"\(p99 \d+ µs\), the others .* µs, which read a cache of slots of", price)


def test_the_answer_of_several_data_sets_is_one_of_each():
    runs = [
        fake.make(
            fake.config(strategy, seed=seed, budget=budget, dataset=dataset),
            mse=mse + seed / 100 + 1e-5 * seed**2 * (strategy == "unified"),
        )
        for dataset, better in (("flights", "unified"), ("baseball", "per_feature"))
        for strategy in ("unified", "per_feature")
        for budget in (14_016, 28_032)
        for mse in (0.8 if strategy == better or (better, budget) == ("unified", 28_032) else 0.9,)
        for seed in range(4)
    ]
    (of_baseball, of_flights, tied, method), _ = told_of(runs)
    alone = "(alone in the set of the best)"
    assert of_baseball == (
        f"On baseball validation names per_feature at 14 kB {alone} and 28 kB {alone}."
    )
    assert of_flights == (
        f"On flights validation names unified at 14 kB {alone}; per_feature at 28 kB."
    )
    assert tied.startswith("At 28 kB (1/8 of the exact table, flights) the set of the best holds 1")
    assert method.startswith("A set of the best holds the best one")


def test_the_answer_where_nobody_wins():
    (winner, _, unknown), limited = told_of(fake.many_strategies(count=3, seeds=1))
    assert winner.startswith(
        "No strategy that validation names is alone in the set of the best at any of the 3 budgets"
    )
    assert unknown == "Which is best cannot be told (too few common seeds)."
    assert "No two arms share two seeds" in limited
    assert "study `many`: no strategy is outside the set of the best at any budget" in limited


def test_variants_are_the_rivals_of_a_strategy_alone():
    (winner, tied, price, _), _ = told_of(fake.study_search(trials=6))
    assert winner.startswith(
        "No variant that validation names is alone in the set of the best at the one budget at "
        "which variants"
    )
    assert re.search(r"behind .* by 0\.\d{4} \[-0\.\d{4}, 0\.\d{4}\] \(n=5\)\.$", tied)
    assert "the others" in price


def test_a_price_names_the_table_without_a_budget():
    runs = [
        fake.make(fake.config(name, seed=seed, budget=budget), mse=mse + seed / 100)
        for name, budget, mse in (
            ("unified", 28_032, 0.9),
            ("per_feature", 28_032, 0.95),
            ("collisionless", None, 0.85),
        )
        for seed in range(3)
    ]
    (winner, _, price, _), _ = told_of(runs)
    assert winner == (
        "Validation names unified at the one budget at which strategies are compared, and on test "
        "rows it is alone in the set of the best: the next best is 0.0500 [0.0500, 0.0500] behind "
        "at 28 kB (1/8 of the exact table)."
    )
    assert "without a byte limit, collisionless 16 reaches 0.8600" in price


@pytest.mark.parametrize(
    ("records", "first"),
    [
        ([fake.failed(fake.config(budget=128))], "No arm has a measured MSE"),
        (
            [fake.make(fake.config(budget=28_032, measure="latency"), "clock", "latency")],
            "No arm has a measured MSE",
        ),
        ([fake.make(fake.config("collisionless"))], "No two strategies have the same byte budget"),
    ],
)
def test_an_answer_where_there_is_little_to_say(records, first):
    told, limited = told_of(records)
    assert told[0].startswith(first)
    assert limited.startswith("- ")


def test_the_limits_are_found_in_the_records():
    def one(seed, share, **env):
        record = fake.make(fake.config(budget=28_032, seed=seed), mse=0.95)
        record.quality["slices"] = {"warm_user": {"n": 100 - share}, "cold_user": {"n": share}}
        record.env.update(env)
        return record

    _, limited = told_of([one(0, 84), one(1, 84, cpu="Another", git_sha="1", git_dirty=True)])
    assert (
        "The random split of ml-100k says little about embeddings: 84% of its scored rows have unseen users."
        in limited
    )
    assert "2 kinds of machine" in limited
    assert "2 versions of the code" in limited
    assert "1 records were made by code with changes" in limited
    assert "1 of 1 arms do not beat the user and item bias model" in limited
    assert "1 of 1 arms do not beat biased matrix factorisation" in limited
    assert "Only one value was run of: data set (ml-100k), split (random)" in limited
    _, limited = told_of([one(0, 10), one(1, 10)])
    assert "says little about embeddings" not in limited
    assert "machine" not in limited


def test_heads_of_very_different_size_are_a_limit():
    def one(strategy, head_bytes, budget=28_032):
        record = fake.make(fake.config(strategy, budget=budget), mse=0.9)
        return replace(record, cost=record.cost | {"head_bytes": head_bytes})

    _, limited = told_of([one("unified", 9_000), one("robe", 120_000)])
    assert "at one budget from 9.0 kB to 120 kB. 1 of 2 arms with a budget have a head" in limited
    _, limited = told_of([one("unified", 9_000), one("robe", 12_000)])
    assert "The head is in no total" not in limited
    _, limited = told_of([one("unified", 9_000), one("robe", 120_000, budget=56_064)])
    assert "The head is in no total" not in limited, "at different budgets"


def test_the_page_is_opened_and_explained(tmp_path, monkeypatch):
    plugin = tmp_path / "own.py"
    plugin.write_text(
        "from dataclasses import replace\nfrom ue_bench.strategies import STRATEGIES as known\n"
        "STRATEGIES = {'own': replace(known['unified'], summary='one of mine', source='this file')}\n"
    )
    monkeypatch.setitem(
        STRATEGIES, "own", STRATEGIES["unified"]
    )  # undone afterwards, with what the file puts in its place
    opened = []
    monkeypatch.setattr(webbrowser, "open", lambda url: opened.append(url) or len(opened) == 1)
    runs = [fake.make(fake.config("own", budget=28_032, regions="multiplexed"), "mine")]
    fake.write_all(tmp_path / "results", runs)
    words = ["report", "--results", str(tmp_path / "results"), "--plugin", str(plugin), "--open"]
    done = CliRunner().invoke(main, words)
    assert done.exit_code == 0, done.output
    page = tmp_path / "results" / "report" / "report.html"
    assert opened == [page.as_uri()]
    assert "one of mine" in page.read_text()
    done = CliRunner().invoke(main, words)
    assert done.exit_code == 2
    assert f"--open: no browser was found; open {page} yourself" in done.output


@pytest.mark.slow
def test_ten_thousand_records_take_minutes_at_most(tmp_path):
    runs = fake.write_all(
        tmp_path / "results",
        fake.study_methods(seeds=20, trials=20, rules=("sqrt", "equal", "proportional")),
    )
    runs += fake.write_all(tmp_path / "results", fake.study_grid(seeds=5))
    runs += fake.write_all(tmp_path / "results", fake.many_strategies(count=60, seeds=10))
    assert runs >= 10_000
    start = time.process_time()
    outcome = build(tmp_path / "results", tmp_path / "out")
    # `ue-bench speed report` claims half a minute; a busy machine needs several times that.
    assert time.process_time() - start <= 300
    assert outcome.page.stat().st_size < 15_000_000

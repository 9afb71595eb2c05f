"""Every code block of README.md and docs/*.md works as printed. (Their numbers: `ue_bench.cli.check`.)

The blocks of a page, `python` and `sh`, run in their order in one folder that is empty at first; Python blocks with no other
between them are one program. A line before a block changes that:

    <!-- file: NAME -->       it is the content of a file, which is written for the blocks after it
    <!-- slow -->             it takes long, and runs with the slow tests only; no block that is fast may need it
    <!-- not run: WHY -->     it runs nowhere

The programs of a block start warm (`warm_programs`).

Every other kind of text (an output, a formula) is marked `text`, `json` or `toml`, and stays as it is.
"""

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import groupby
from pathlib import Path

import pytest
from warm_programs import warm_programs

from ue_bench.report.figures.sections.contents import SECTIONS

ROOT = Path(__file__).resolve().parents[2]
PAGES = {
    str(path.relative_to(ROOT)): path
    for path in (ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md")))
}
# Their commands and programs take longer than a few seconds together.
LONG = {f"docs/{name}.md" for name in ("adding-a-study", "data", "measurement")}
RUN, SHOWN = {"python", "sh"}, {"text", "json", "toml"}
FENCE = re.compile(
    r"(?:^<!-- (?P<marker>file|slow|not run)(?:: (?P<said>[^\n]+))? -->\n+)?^```(?P<language>[^\n]*)\n(?P<text>.*?)^```$",
    re.DOTALL | re.MULTILINE,
)
# The targets of make run these very tests, or minutes of training: here only that they resolve.
SHELL = f'set -eu\nmake() {{ command make --dry-run --directory "{ROOT}" "$@"; }}\n'


@dataclass(frozen=True)
class Block:
    language: str
    text: str
    line: int  # where it stands in its page
    marker: str | None
    said: str | None


def blocks(text: str) -> list[Block]:
    return [
        Block(
            found["language"],
            found["text"],
            text[: found.start("language")].count("\n") + 1,
            found["marker"],
            found["said"],
        )
        for found in FENCE.finditer(text)
    ]


def joined(found: list[Block], slow: bool) -> Iterator[Block]:
    """The blocks that do something: files, and what is run. Python blocks that follow each other are one program."""
    kept = [
        b
        for b in found
        if b.marker == "file"
        or (b.language in RUN and b.marker != "not run" and (slow or b.marker != "slow"))
    ]
    for is_python, run in groupby(
        kept, lambda block: block.language == "python" and block.marker != "file"
    ):
        program = list(run)
        yield from (
            [replace(program[0], text="\n".join(block.text for block in program))]
            if is_python
            else program
        )


@pytest.fixture(scope="module")
def programs():
    with warm_programs() as folder:
        yield folder


def work_through(page: str, folder: Path, programs: Path, slow: bool) -> None:
    """Run the blocks of a page in `folder`. Raises AssertionError for the first one that does not work."""
    path = (str(programs), str(Path(sys.executable).parent), os.environ["PATH"])
    settings = {**os.environ, "COLUMNS": "80", "PATH": os.pathsep.join(path)}
    for block in joined(blocks(PAGES[page].read_text()), slow):
        if block.marker == "file":
            assert block.said, f"{page}:{block.line}: a file has a name"
            (folder / block.said).write_text(block.text)
        else:
            command = (
                [str(programs / "python"), "-c", block.text]
                if block.language == "python"
                else ["bash", "-c", SHELL + block.text]
            )
            done = subprocess.run(command, cwd=folder, env=settings, capture_output=True, text=True)
            assert done.returncode == 0, (
                f"{page}:{block.line}\n{block.text}\n{done.stdout}\n{done.stderr}"
            )
            assert "Traceback" not in done.stderr, f"{page}:{block.line}\n{done.stderr}"


def has(page: str, slow: bool) -> bool:
    runs = [
        block
        for block in blocks(PAGES[page].read_text())
        if block.language in RUN and block.marker not in ("file", "not run")
    ]
    return any((block.marker == "slow") == slow for block in runs)


@pytest.mark.parametrize("page", PAGES)
def test_every_block_says_what_it_is(page):
    text = PAGES[page].read_text()
    found = blocks(text)
    assert 2 * len(found) == len(re.findall(r"^```", text, re.MULTILINE)), (
        "a block that is not closed, or that is in a list"
    )
    for block in found:
        assert block.language in RUN | SHOWN, (
            f"{page}:{block.line}: write python, sh, or one of {SHOWN}"
        )
        assert bool(block.said) == (block.marker in ("file", "not run")), (
            f"{page}:{block.line}: name the file, or the reason"
        )


@pytest.mark.parametrize(
    "page",
    [
        pytest.param(page, marks=pytest.mark.slow) if page in LONG else page
        for page in PAGES
        if has(page, slow=False)
    ],
)
def test_blocks_as_printed(page, tmp_path, programs):
    work_through(page, tmp_path, programs, slow=False)


@pytest.mark.slow
@pytest.mark.parametrize("page", [page for page in PAGES if has(page, slow=True)])
def test_slow_blocks_as_printed(page, tmp_path, programs):
    work_through(page, tmp_path, programs, slow=True)


@pytest.mark.parametrize("page", PAGES)
def test_links_lead_somewhere(page):
    for target in re.findall(r"\]\(([^)#]+)(?:#[\w-]+)?\)", FENCE.sub("", PAGES[page].read_text())):
        if not target.startswith("http"):
            assert (PAGES[page].parent / target).exists(), f"{page}: {target}"


def test_every_section_of_the_report_is_explained():
    table = PAGES["docs/reading-the-report.md"].read_text().partition("## The sections")[2]
    rows = re.findall(r"^\| ([^|]+) \|", table, re.MULTILINE)
    told = " | ".join(rows)
    assert [section.title for section in SECTIONS if section.title not in told] == []


def test_a_block_that_fails_is_named(tmp_path, programs, monkeypatch):
    page = tmp_path / "page.md"
    page.write_text(
        "# Page\n\n```python\nassert 1 == 1\n```\n\n<!-- file: x.txt -->\n```text\nhello\n```\n\n```sh\ngrep world x.txt\n```\n"
    )
    monkeypatch.setitem(PAGES, "page.md", page)
    with pytest.raises(AssertionError, match=r"page\.md:12"):
        work_through("page.md", tmp_path, programs, slow=False)


def test_what_is_marked_is_left_alone(tmp_path, programs, monkeypatch):
    page = tmp_path / "page.md"
    page.write_text(
        "<!-- not run: it fails -->\n```sh\nfalse\n```\n\n"
        "<!-- slow -->\n```sh\ntouch slow\n```\n\n"
        "```sh\nmake test\ntouch fast\n```\n"
    )
    monkeypatch.setitem(PAGES, "page.md", page)
    work_through("page.md", tmp_path, programs, slow=False)
    assert {path.name for path in tmp_path.iterdir()} == {"page.md", "fast"}
    work_through("page.md", tmp_path, programs, slow=True)
    assert (tmp_path / "slow").exists()

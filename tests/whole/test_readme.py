"""The README: what it says is there is there. (Its code blocks: `test_docs`; its numbers: `ue_bench.cli.check`.)"""

import re
import shutil
from pathlib import Path

from ue_bench.strategies import STRATEGIES
from ue_bench.study import names

ROOT = Path(__file__).resolve().parents[2]
README = (ROOT / "README.md").read_text()


def test_every_strategy_is_counted():
    assert f"The {len(STRATEGIES)} strategies that are here" in README


def test_every_study_is_told_of():
    assert set(
        re.findall(
            r"^\| `([\w-]+)` \| (?=.*\| (?:seconds|[\w ]*minutes|half an hour|a quarter|an hour))",
            README,
            re.MULTILINE,
        )
    ) == set(names())


def test_the_figure_shown_is_there():
    shown = re.search(r"!\[.*?\]\((docs/figures/\w+\.png)\)", README)
    assert shown
    assert (ROOT / shown[1]).is_file()


def test_paths_in_the_text_exist():
    for path in re.findall(r"`((?:ue_bench|studies|results|tests|docs)/[\w./]+)`", README):
        if path != "results/local":
            assert (ROOT / path).exists(), path
    assert shutil.which("make")

"""The page about strategies is made from the code, and docstrings contain what the page needs."""

import sys
from pathlib import Path

import pytest

from ue_bench.strategies import STRATEGIES
from ue_bench.strategies.docs import COMMAND, markdown, section

ROOT = Path(__file__).resolve().parents[2]


def test_the_page_is_up_to_date():
    assert (ROOT / "docs" / "strategies.md").read_text() == markdown(), f"run: {COMMAND}"


@pytest.mark.parametrize("name", STRATEGIES)
def test_a_method_tells_formula_source_and_bytes(name):
    text = sys.modules[STRATEGIES[name].method.__module__].__doc__
    assert "\n    " in text, "the formula is an indented block"
    assert "Bytes: " in text, "a sentence says how bytes are counted"
    assert STRATEGIES[name].source
    assert STRATEGIES[name].summary[0].islower() or STRATEGIES[name].summary[0].isdigit()


def test_a_docstring_becomes_a_section():
    assert section('"Title.\n\n    a = b\n    c\n\nText that\ngoes on.'.removeprefix('"')) == [
        "Title.",
        "",
        "```text",
        "a = b",
        "c",
        "```",
        "",
        "Text that goes on.",
    ]

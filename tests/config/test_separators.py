"""Which features have several values, and what is between them, as one text."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ue_bench.config.separators import parse_separators, separators_text
from ue_bench.errors import BenchError


@pytest.mark.parametrize(
    ("text", "separators"),
    [
        ("genres", {"genres": "|"}),
        (" genres , tags", {"genres": "|", "tags": "|"}),
        ("genres=|", {"genres": "|"}),
        ("genres=;", {"genres": ";"}),
        ("tags=, ", {"tags": ", "}),
        ("tags=,", {"tags": ","}),
        ("tags=,,genres", {"tags": ",", "genres": "|"}),
        ("tags=, , genres=;", {"tags": ", ", "genres": ";"}),
        ("tags=::,genres=/", {"tags": "::", "genres": "/"}),
        ("tags= ", {"tags": " "}),
        ("tags==", {"tags": "="}),
        ("tags==>", {"tags": "=>"}),
        ("a column = and ", {"a column": " and "}),
    ],
)
def test_a_text_names_features_and_what_is_between_their_values(text, separators):
    assert parse_separators(text) == separators
    assert parse_separators(separators_text(separators)) == separators


@pytest.mark.parametrize(
    "text", ["", ",", "genres,", ",genres", "=;", " =;", "tags=", "tags=,genres", "tags=;,,genres"]
)
def test_what_is_no_such_text_is_one_line(text):
    with pytest.raises(BenchError, match=r"multi_valued: .* was given; write names") as error:
        parse_separators(text)
    assert "\n" not in str(error.value)


def test_a_name_is_given_once():
    with pytest.raises(BenchError, match="'genres' is given twice; leave one out"):
        parse_separators("genres,tags, genres=;")


def test_equal_requests_are_one_text():
    assert separators_text(parse_separators("tags=|, genres")) == "genres,tags"


@pytest.mark.parametrize(
    "separators", [{"a=b": "|"}, {"a": ";,"}, {"a,b": "|"}, {"a": ""}, {"": "|"}]
)
def test_what_the_text_cannot_hold_is_told(separators):
    with pytest.raises(BenchError, match="multi_valued"):
        separators_text(separators)


@given(st.text(max_size=30))
def test_any_text_is_refused_or_read_and_written_again(text):
    try:
        separators = parse_separators(text)
    except BenchError:
        return
    assert parse_separators(separators_text(separators)) == separators


def test_a_long_text_takes_no_time():
    with pytest.raises(BenchError):
        parse_separators(" " * 200_000 + "=")
    assert len(parse_separators(",".join(f"a{n}" for n in range(20_000)))) == 20_000

"""Sizes as people write them."""

import pytest

from ue_bench.config.units import parse_bytes, parse_micros
from ue_bench.errors import BenchError


@pytest.mark.parametrize(
    ("text", "n_bytes"),
    [
        ("28032", 28_032),
        ("28kB", 28_000),
        ("28KB", 28_000),
        ("28 kb", 28_000),
        ("28kiB", 28_672),
        ("1.5MiB", 1_572_864),
        ("2MB", 2_000_000),
        ("1GB", 10**9),
        ("1GiB", 2**30),
        ("100B", 100),
        (" 7 ", 7),
        ("0.5kB", 500),
        ("1.9", 1),
        ("0", 0),
    ],
)
def test_a_size_is_a_number_and_a_unit(text, n_bytes):
    assert parse_bytes(text) == n_bytes


@pytest.mark.parametrize(
    "text",
    [
        "",
        " ",
        "12 apples",
        "apples",
        "kB",
        "-5",
        "-1kB",
        "1e5",
        "1,000",
        "1.",
        ".5",
        "1.5.2",
        "1kB 2",
        "nan",
        "inf",
        "²",
    ],
)
def test_what_is_no_size_is_refused_with_an_example(text):
    with pytest.raises(BenchError, match="28kB") as caught:
        parse_bytes(text)
    assert repr(text) in str(caught.value)


@pytest.mark.parametrize(
    ("text", "n_bytes"), [("1.001kB", 1001), ("9007199254740993", 9_007_199_254_740_993)]
)
def test_a_size_is_exact(text, n_bytes):
    assert parse_bytes(text) == n_bytes


@pytest.mark.parametrize(
    ("text", "micros"),
    [
        ("200us", 200),
        ("200 µs", 200),
        ("0.2ms", 200),
        ("0.2 MS", 200),
        ("1s", 1_000_000),
        (" 7us ", 7),
        ("1.5us", 1.5),
    ],
)
def test_a_time_is_a_number_and_a_unit(text, micros):
    assert parse_micros(text, "latency") == micros


@pytest.mark.parametrize(
    "text", ["", "200", "us", "-1us", "0us", "0.0ms", "1h", "1 us 2", "1e3us", "nan s", "1kus"]
)
def test_what_is_no_time_is_refused_with_an_example(text):
    with pytest.raises(
        BenchError, match=r"latency: .* was given; write a time such as 200us"
    ) as caught:
        parse_micros(text, "latency")
    assert repr(text) in str(caught.value)


def test_a_size_beyond_any_machine_is_refused():
    with pytest.raises(BenchError):
        parse_bytes("9" * 400)

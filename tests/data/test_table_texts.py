"""What the values of a table become: the rules that docs/data.md states."""

from datetime import UTC, date, datetime
from decimal import ROUND_HALF_EVEN, Context, Decimal

import numpy as np
import pandas as pd
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st
from table_files import table, texts

from ue_bench import data
from ue_bench.categories import bucket, buckets
from ue_bench.data import Definition
from ue_bench.errors import BenchError


@pytest.mark.parametrize(
    ("values", "wanted"),
    [
        (["a", "", None, " b", "007", "1.50"], ["a", "", "", " b", "007", "1.50"]),
        ([1, -20, None, 2**62], ["1", "-20", "", str(2**62)]),
        (pl.Series([0, 2**64 - 1], dtype=pl.UInt64), ["0", str(2**64 - 1)]),
        ([1.0, None, float("nan"), -0.0, 12.0], ["1", "", "", "0", "12"]),
        ([1e15, 2.0**60, 1e22], ["1000000000000000", str(2**60), str(10**22)]),
        ([1.0, float("inf"), float("-inf")], ["1", "inf", "-inf"]),
        ([0.5, 1234.0, None, -0.01267, -0.0], ["0.5", "1200", "", "-0.013", "0"]),
        ([True, False, None], ["true", "false", ""]),
        (pl.Series(["x", None, "x"], dtype=pl.Categorical), ["x", "", "x"]),
        ([date(2024, 1, 31), None], ["2024-01-31", ""]),
        (
            [datetime(2024, 1, 31, 7, 5), datetime(1969, 1, 1, 0, 0, 0, 250_000)],
            ["2024-01-31T07:05:00", "1969-01-01T00:00:00.250"],
        ),
        ([datetime(2024, 1, 31, 7, tzinfo=UTC)], ["2024-01-31T07:00:00Z"]),
        ([Decimal("12"), Decimal("7")], ["12", "7"]),
        ([Decimal("12.50"), Decimal("7.00")], ["12", "7"]),
        ([["a", "b"], [], None, ["c", None], ["a", "b"]], ["a\x1eb", "", "", "c", "a\x1eb"]),
        ([[1, 2], [3]], ["1\x1e2", "3"]),
        ([None, None], ["", ""]),
    ],
)
def test_a_value_of_each_kind(tmp_path, values, wanted):
    assert texts(tmp_path, values) == wanted


@pytest.mark.parametrize(
    ("values", "wanted"),
    [
        (["a", None, "NaN", "007"], ["a", "", "", "007"]),
        (["007", "7"], ["007", "7"]),
        (["1.0", "", "12.0"], ["1", "", "12"]),
        (["1", "1.5", "-2e3"], ["1", "1.5", "-2000"]),
        (["1.5", "b"], ["1.5", "b"]),
        (["True", "true"], ["True", "true"]),
    ],
)
def test_a_csv_file_holds_text_and_columns_of_numbers(tmp_path, values, wanted):
    assert texts(tmp_path, values, "t.csv") == wanted


def test_a_table_is_the_same_as_csv_and_as_parquet(tmp_path):
    rng = np.random.default_rng(0)
    frame = {
        "y": rng.normal(size=500),
        "id": rng.integers(0, 50, 500),
        "price": rng.lognormal(size=500),
        "city": rng.choice(["a", 'é,"x"\ny', ""], 500),
        "gap": [None if n % 7 == 0 else float(n % 5) for n in range(500)],
    }
    one, other = table(tmp_path, frame), table(tmp_path, frame, "t.csv")
    assert one.features == other.features
    for name in one.features:
        assert one.column(name).to_list() == other.column(name).to_list()
    assert np.array_equal(one.target, other.target)
    pandas = pd.DataFrame(frame)
    pandas.to_csv(tmp_path / "p.csv", index=False)
    by_pandas = data.load("p.csv", tmp_path, Definition("p.csv", "y", one.features).to_dict())
    assert [by_pandas.column(name).to_list() for name in one.features] == [
        one.column(name).to_list() for name in one.features
    ]


def test_numbers_named_numeric_are_rounded(tmp_path):
    values = [125, 135, -125, 99_600, 0, 7, None]
    wanted = ["120", "140", "-120", "100000", "0", "7", ""]
    assert texts(tmp_path, values, numeric=("x",)) == wanted
    assert texts(tmp_path, values, "t.csv", numeric=("x",)) == wanted
    with pytest.raises(BenchError, match="named numeric and holds 'a'"):
        texts(tmp_path, ["1", "a"], numeric=("x",))


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0.0, "0"),
        (-0.0, "0"),
        (1.0, "1"),
        (-7.0, "-7"),
        (1234.0, "1200"),
        (0.01267, "0.013"),
        (99.6, "100"),
        (9.96, "10"),
        (2.5, "2.5"),
        (12.5, "12"),
        (13.5, "14"),
        (125.0, "120"),
        (135.0, "140"),
        (-125.0, "-120"),
        (0.000125, "0.00013"),
        (1e20, "1" + "0" * 20),
        (5e-324, "0." + "0" * 323 + "49"),
        (1.75e308, "18" + "0" * 307),
        (float("inf"), "inf"),
        (float("-inf"), "-inf"),
    ],
)
def test_the_rule_of_two_digits(value, text):
    assert bucket(value) == text


@given(st.floats(allow_nan=False, allow_infinity=False))
def test_two_digits_are_the_nearest_and_even_where_two_are(value):
    exact = Decimal(value)
    nearest = Context(prec=2, rounding=ROUND_HALF_EVEN).plus(exact)
    assert Decimal(bucket(value)) == nearest
    assert "e" not in bucket(value).lower()
    assert not ("." in bucket(value) and bucket(value).endswith("0"))


@given(st.lists(st.floats(allow_nan=False) | st.integers(-3000, 3000).map(lambda n: n / 10)))
def test_all_at_once_is_one_by_one(values):
    assert buckets(pl.Series(values, dtype=pl.Float64)).to_list() == [
        bucket(value) for value in values
    ]


def test_all_powers_of_two_and_ten_at_once_are_one_by_one():
    """The digits of a number begin with a table of its binary exponents."""
    values = [0.0, -0.0]
    for exponent in range(-1074, 1024):
        values += [2.0**exponent, -1.5 * 2.0**exponent]
    for exponent in range(-323, 309):
        power = float(f"1e{exponent}")
        values += [power, np.nextafter(power, 0), np.nextafter(power, np.inf), power * 9.95]
    values = [value for value in values if np.isfinite(value)]
    texts = [bucket(value) for value in values]
    column = pl.Series([*values, None, float("nan")])
    assert buckets(column).to_list() == [*texts, "", ""]


@given(
    st.lists(
        st.none() | st.text(st.characters(codec="utf-8", exclude_characters="\x00\r")),
        min_size=1,
        max_size=30,
    )
)
def test_any_text_stays_as_it_is(tmp_path_factory, values):
    assert texts(tmp_path_factory.mktemp("text"), pl.Series(values, dtype=pl.String)) == [
        value or "" for value in values
    ]


def test_a_kind_without_a_text_is_refused(tmp_path):
    for values, message in (
        ([{"a": 1}], "holds Struct"),
        ([[1.5]], "lists of Float64"),
        ([["a\x1eb"]], "U\\+001E"),
        (pl.Series([b"a"]), "holds Binary"),
    ):
        with pytest.raises(BenchError, match=f"t.parquet.*'x'.*{message}"):
            texts(tmp_path, values)

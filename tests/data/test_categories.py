"""A value has one text by the rule of its column, alone or among any other values, in any container."""

import csv
from datetime import UTC, date, datetime, time, timedelta, timezone
from decimal import Decimal
from enum import IntEnum, StrEnum

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from table_files import table

import ue_bench
from ue_bench.categories import KINDS, Rule, bucket, buckets, text_of, texts_of
from ue_bench.data import Definition
from ue_bench.data.table.texts import MEMBERS
from ue_bench.errors import BenchError
from ue_bench.features import ColumnReader
from ue_bench.hashing import FEW

NAN = float("nan")
ABSENT = ("", "NaN", "-1")
RULES = [Rule(kind, absent) for kind in KINDS for absent in ((), ABSENT)]


class Colour(StrEnum):
    RED = "red"


class Code(IntEnum):
    FIVE = 5


@pytest.mark.parametrize(
    ("value", "as_text", "as_whole", "as_number"),
    [
        ("abc", "abc", "abc", "abc"),
        ("", "", "", ""),
        ("1.0", "1.0", "1", "1"),
        ("007", "007", "7", "7"),
        ("1234.56", "1234.56", "1234.56", "1200"),
        ("1e3", "1e3", "1000", "1000"),
        ("-0.0", "-0.0", "0", "0"),
        ("+.5", "+.5", "0.5", "0.5"),
        (" 1", " 1", " 1", " 1"),
        ("1_000", "1_000", "1_000", "1_000"),
        ("nan", "nan", "nan", "nan"),
        ("Infinity", "Infinity", "Infinity", "Infinity"),
        ("inf", "inf", "inf", "inf"),
        ("1e999", "1e999", "inf", "inf"),
        ("١", "١", "١", "١"),
        ("1\n", "1\n", "1\n", "1\n"),
        (True, "true", "true", "true"),
        (np.False_, "false", "false", "false"),
        (7, "7", "7", "7"),
        (1234, "1234", "1234", "1200"),
        (np.int16(-3), "-3", "-3", "-3"),
        (np.uint64(2**64 - 1), str(2**64 - 1), str(2**64), "18" + "0" * 18),
        (10**400, "1" + "0" * 400, "inf", "inf"),
        (3.0, "3", "3", "3"),
        (-0.0, "0", "0", "0"),
        (3.5, "3.5", "3.5", "3.5"),
        (0.9962, "0.9962", "0.9962", "1"),
        (1e22, "1" + "0" * 22, "1" + "0" * 22, "1" + "0" * 22),
        (1.5e-7, "0.00000015", "0.00000015", "0.00000015"),
        (np.float32(0.1), "0.1", "0.1", "0.1"),
        (np.float16(0.1), "0.1", "0.1", "0.1"),
        (np.longdouble(2.5), "2.5", "2.5", "2.5"),
        (float("-inf"), "-inf", "-inf", "-inf"),
        (Decimal("12"), "12", "12", "12"),
        (Decimal("12.00"), "12", "12", "12"),
        (Decimal("12.340"), "12.34", "12.34", "12"),
        (date(2024, 1, 31), "2024-01-31", "2024-01-31", "2024-01-31"),
        (datetime(999, 1, 3), *["0999-01-03T00:00:00"] * 3),
        (datetime(2024, 1, 31, 7, 5, 0, 250_000), *["2024-01-31T07:05:00.250"] * 3),
        (
            datetime(2024, 1, 31, 7, tzinfo=timezone(timedelta(hours=2))),
            *["2024-01-31T05:00:00Z"] * 3,
        ),
        (pd.Timestamp("2024-01-31T07:05:00.000000001"), *["2024-01-31T07:05:00.000000001"] * 3),
        (np.datetime64("2024-01-31T07:05"), *["2024-01-31T07:05:00"] * 3),
        (np.datetime64("2024-01"), *["2024-01-01"] * 3),
        (time(7, 5, 0, 1), *["07:05:00.000001"] * 3),
        (Colour.RED, "red", "red", "red"),
        (Code.FIVE, "5", "5", "5"),
        (np.array(4), "4", "4", "4"),
        (pa.scalar(2.5), "2.5", "2.5", "2.5"),
        (None, "", "", ""),
        (NAN, "", "", ""),
        (np.float32("nan"), "", "", ""),
        (Decimal("NaN"), "", "", ""),
        (Decimal("sNaN"), "", "", ""),
        (pd.NA, "", "", ""),
        (pd.NaT, "", "", ""),
        (np.datetime64("NaT"), "", "", ""),
        (pa.scalar(None), "", "", ""),
    ],
)
def test_one_value_by_each_rule(value, as_text, as_whole, as_number):
    for kind, text in (("text", as_text), ("whole", as_whole), ("number", as_number)):
        rule = Rule(kind)
        assert text_of(value, rule) == text
        assert texts_of([value], rule).to_list() == [text]
        assert texts_of([value] * (FEW + 1), rule).to_list() == [text] * (FEW + 1)


def test_midnight_is_the_day_in_a_column_of_dates():
    rule = Rule("date")
    for value in (date(2024, 1, 31), datetime(2024, 1, 31), "2024-01-31", "2024-01-31T00:00:00"):
        assert text_of(value, rule) == "2024-01-31"
        assert texts_of([value] * (FEW + 1), rule).unique().to_list() == ["2024-01-31"]
    assert text_of(datetime(2024, 1, 31, 7), rule) == "2024-01-31T07:00:00"


def test_what_stands_for_a_missing_value():
    """A number that an absent text names is missing too, however it is written."""
    for kind in KINDS:
        rule = Rule(kind, ABSENT)
        for value in ("", "NaN", "-1", -1, -1.0, Decimal("-1.00"), np.int8(-1), None):
            assert text_of(value, rule) == "", (kind, value)
        assert text_of("-1", Rule(kind)) == "-1"
        assert text_of("-2", rule) == "-2"


@pytest.mark.parametrize(
    "value",
    [
        b"a",
        {"a": 1},
        ["a"],
        1j,
        timedelta(1),
        pd.Timedelta("1s"),
        np.timedelta64(1, "s"),
        pd.Period("2024"),
        time(7, tzinfo=UTC),
        pytest.param(object(), id="object"),
    ],
)
def test_a_value_without_a_text_is_refused(value):
    for n in (1, FEW + 1):
        with pytest.raises(TypeError, match=type(value).__name__):
            texts_of([value] * n, Rule())


def test_half_a_character_is_refused():
    for n in (1, FEW + 1):
        with pytest.raises(ValueError, match="surrogates"):
            texts_of(["\ud800"] * n, Rule())


# A value of every kind, those that look like others among them.
NUMERALS = st.sampled_from(["1", "1.0", "01", "1e0", "2.50", "-1", "-0", "inf", "NaN", "", "1 000"])
TEXTS = st.text(st.characters(codec="utf-8"), max_size=4) | NUMERALS
WHOLE = st.integers(-(2**63), 2**63 - 1)
FLOATS = st.floats() | st.integers(-3000, 3000).map(lambda n: n / 8)
SMALL_FLOATS = st.floats(width=32).map(np.float32)
DECIMALS = st.decimals(-1000, 1000, places=2)
DATES = st.dates(date(1, 1, 1))
TIMES = st.datetimes(datetime(1700, 1, 1), datetime(2200, 1, 1))
ZONES = st.integers(-14, 14).map(lambda hours: timezone(timedelta(hours=hours)))
ZONED = st.datetimes(datetime(1700, 1, 1), datetime(2200, 1, 1), timezones=ZONES)
STAMPS = st.integers(-(2**60), 2**60).map(lambda n: pd.Timestamp(n, unit="ns"))
MISSING = st.sampled_from([None, NAN, pd.NA, pd.NaT])
ANY = (
    TEXTS
    | WHOLE
    | st.integers()
    | FLOATS
    | SMALL_FLOATS
    | DECIMALS
    | DATES
    | TIMES
    | ZONED
    | STAMPS
    | st.booleans()
    | MISSING
)


def require_alone_as_together(column, rule):
    """The texts of a column are those of its values one by one, and of the column many times over.

    column: a list, or a Series of polars or pandas.
    """
    if isinstance(column, pl.Series):
        parts = [column[n : n + 1] for n in range(len(column))]
        many = pl.concat([column] * (FEW + 1)) if len(column) else column
    elif isinstance(column, pd.Series):
        parts = [column.iloc[n : n + 1] for n in range(len(column))]
        many = pd.concat([column] * (FEW + 1)) if len(column) else column
    else:
        parts = [column[n : n + 1] for n in range(len(column))]
        many = column * (FEW + 1)
    alone = [texts_of(part, rule)[0] for part in parts]
    assert texts_of(column, rule).to_list() == alone
    assert texts_of(many, rule).to_list() == alone * (len(many) // max(len(column), 1))
    return alone


@given(st.lists(ANY, max_size=12), st.sampled_from(RULES))
def test_a_list_of_anything(values, rule):
    texts = require_alone_as_together(values, rule)
    assert texts == [text_of(value, rule) for value in values]
    assert require_alone_as_together(pd.Series(values, dtype=object), rule) == texts
    assert texts_of(pl.Series(values, dtype=pl.Object), rule).to_list() == texts
    assert texts_of(tuple(values), rule).to_list() == texts


COLUMNS = {
    pl.String: TEXTS,
    pl.Int64: WHOLE,
    pl.UInt64: st.integers(0, 2**64 - 1),
    pl.Int8: st.integers(-128, 127),
    pl.Float64: FLOATS,
    pl.Float32: st.floats(width=32),
    pl.Boolean: st.booleans(),
    pl.Categorical: TEXTS,
    pl.Decimal(12, 2): DECIMALS,
    pl.Date: DATES,
    pl.Time: st.times(),
    pl.Datetime("us"): TIMES,
    pl.Datetime("ms"): TIMES.map(lambda at: at.replace(microsecond=at.microsecond // 1000 * 1000)),
    pl.Null: st.none(),
}


@pytest.mark.parametrize("dtype", COLUMNS, ids=str)
@settings(max_examples=30)
@given(data=st.data(), rule=st.sampled_from(RULES))
def test_a_series_of_each_type_is_its_values(dtype, data, rule):
    values = data.draw(st.lists(st.none() | COLUMNS[dtype], max_size=8))
    column = pl.Series(values, dtype=dtype)
    if dtype == pl.Float32:
        values = [None if value is None else np.float32(value) for value in values]
    texts = require_alone_as_together(column, rule)
    assert texts == [text_of(value, rule) for value in values]
    assert texts_of(column.to_arrow(), rule).to_list() == texts
    as_pandas = column.to_pandas(use_pyarrow_extension_array=True)
    assert require_alone_as_together(as_pandas, rule) == texts


@given(st.lists(STAMPS, max_size=6), st.sampled_from(["UTC", "Asia/Tokyo", None]))
def test_times_down_to_the_nanosecond(values, zone):
    column = pl.Series([stamp.value for stamp in values], dtype=pl.Int64)
    column = column.cast(pl.Datetime("ns"))
    stamps = values
    if zone is not None:
        column = column.dt.replace_time_zone("UTC").dt.convert_time_zone(zone)
        stamps = [stamp.tz_localize("UTC").tz_convert(zone) for stamp in values]
    texts = require_alone_as_together(column, Rule())
    assert texts == [text_of(stamp, Rule()) for stamp in stamps]
    assert (
        texts_of(
            pd.Series(stamps, dtype=f"datetime64[ns, {zone}]" if zone else "M8[ns]"), Rule()
        ).to_list()
        == texts
    )


@pytest.mark.parametrize(
    ("values", "dtype"),
    [
        ([1, 2, 300], "int16"),
        ([1, None, 2**53 + 1], "Int64"),
        ([1.0, None, 2.5], "float64"),
        ([1.0, None, 0.1], "Float32"),
        ([1.0, None, 0.1], "Float64"),
        (["a", None, "1.0"], "string"),
        (["a", None, "1.0"], "string[python]"),
        (["a", None, "1.0"], "category"),
        ([1, None, 3], "category"),
        ([1.5, None, 2.0], "category"),
        ([True, None, False], "boolean"),
        ([True, False, True], "bool"),
        ([0, 0, 1], "Sparse[int]"),
        ([1.0, None, 2.5], "float64[pyarrow]"),
        (["a", None, "1.0"], "string[pyarrow]"),
        ([date(2024, 1, 31), None, date(1, 1, 1)], pd.ArrowDtype(pa.date32())),
        ([Decimal("1.50"), None, Decimal("2.00")], pd.ArrowDtype(pa.decimal128(9, 2))),
        (["2024-01-31T00:00", None, "2024-01-31T07:00"], "datetime64[s]"),
    ],
    ids=str,
)
@pytest.mark.parametrize("kind", KINDS)
def test_every_type_of_pandas(values, dtype, kind):
    column = pd.Series(values, dtype=dtype)
    wanted = [text_of(value, Rule(kind)) for value in values]
    if dtype == "datetime64[s]":
        midnight = "2024-01-31" if kind == "date" else "2024-01-31T00:00:00"
        wanted = [midnight, "", "2024-01-31T07:00:00"]
    assert require_alone_as_together(column, Rule(kind)) == wanted
    assert texts_of(pd.Index(column), Rule(kind)).to_list() == wanted
    assert texts_of(column.array, Rule(kind)).to_list() == wanted


def test_numpy_arrays():
    for array, wanted in (
        (np.array([1.5, 2.0], np.float16), ["1.5", "2"]),
        (np.array([0.1, np.nan], np.float32), ["0.1", ""]),
        (np.array([2.5], np.longdouble), ["2.5"]),
        (np.array(["a", "b"]), ["a", "b"]),
        (np.array(["2024-01-31", "NaT"], "M8[D]"), ["2024-01-31", ""]),
        (np.array(["2024-01-31T07"], "M8[h]"), ["2024-01-31T07:00:00"]),
        (np.ma.masked_array([1, 2], [False, True]), ["1", ""]),
        (np.array([True, False]), ["true", "false"]),
    ):
        assert texts_of(array, Rule()).to_list() == wanted
        repeated = np.ma.concatenate([array] * 200) if np.ma.isMA(array) else np.tile(array, 200)
        assert texts_of(repeated, Rule()).to_list() == wanted * 200
    with pytest.raises(TypeError, match="durations"):
        texts_of(np.array([1], "m8[ns]"), Rule())
    with pytest.raises(TypeError, match="one-dimensional"):
        texts_of(np.zeros((2, 2)), Rule())


@pytest.mark.parametrize(
    ("column", "wanted"),
    [
        (pa.array(np.array([0.1, 2.0], np.float16)), ["0.1", "2"]),
        (pa.array([Decimal("1.50"), None], pa.decimal256(50, 2)), ["1.5", ""]),
        (pa.chunked_array([["a"], [None]]), ["a", ""]),
        (pa.array([1, None, 1]).dictionary_encode(), ["1", "", "1"]),
        (pa.array([1, None], pa.timestamp("s", "+02:00")), ["1970-01-01T00:00:01Z", ""]),
        (pa.nulls(2), ["", ""]),
    ],
    ids=lambda value: str(getattr(value, "type", "")),
)
def test_arrays_of_pyarrow(column, wanted):
    assert texts_of(column, Rule()).to_list() == wanted
    assert texts_of(pa.chunked_array([column] * 100), Rule()).to_list() == wanted * 100
    as_pandas = pd.Series(column, dtype=pd.ArrowDtype(column.type))
    if not pa.types.is_dictionary(column.type):
        assert require_alone_as_together(as_pandas, Rule()) == wanted


def test_a_type_without_a_text_is_refused():
    for column, message in (
        (pl.Series([{"a": 1}]), "Struct"),
        (pl.Series([b"a"]), "Binary"),
        (pl.Series([timedelta(1)]), "Duration"),
        (pd.Series(pd.period_range("2024", periods=2)), "period"),
        (pd.Series(pd.interval_range(0, 2)), "interval"),
        ("abc", "values are one str"),
        ({"a", "b"}, "values are one set"),
    ):
        with pytest.raises(TypeError, match=message):
            texts_of(column, Rule())


def test_a_few_values_are_read_without_polars(monkeypatch):
    """A Series takes longer than a request may take."""

    def fail(*arguments, **options):
        raise AssertionError("a Series was made")

    reader = ColumnReader(("a", "b", "c", "a*b"), {"a": Rule("number", ABSENT), "b": Rule()})
    monkeypatch.setattr(pl.Series, "__init__", fail)
    row = {"a": 1.234, "b": None, "c": 7}
    assert reader.read(row) == [["1.2"], [""], [b"7"], [b"1.2\x1f"]]
    assert reader.read([row, row])[0] == ["1.2", "1.2"]
    assert reader.read({"a": np.array([1.234]), "b": np.array([3]), "c": ["x"]})[1] == ["3"]


@given(st.integers(10, 100), st.booleans(), st.integers(-322, 306), st.integers(-2, 2))
def test_numbers_next_to_a_tie(digits, half, exponent, steps):
    value = float(f"{digits + half / 2}e{exponent}")
    for _ in range(abs(steps)):
        value = float(np.nextafter(value, float("inf") if steps > 0 else 0))
    column = pl.Series([value, -value, 1.0])
    assert buckets(column).to_list() == [bucket(value), bucket(-value), "1"]


def test_days_at_the_ends_of_the_calendars():
    """Python's years go from 1 to 9999; polars writes those of other calendars, too."""
    known = [date(1, 1, 1), date(1969, 12, 31), date(1970, 1, 1), date(9999, 12, 31)]
    days = [*known, None] * FEW
    for rule, first in ((Rule(), "0001-01-01"), (Rule("date", ("0001-01-01",)), "")):
        texts = [first, "1969-12-31", "1970-01-01", "9999-12-31", ""] * FEW
        assert texts_of(pl.Series(days), rule).to_list() == texts
        assert texts_of(days, rule).to_list() == texts
        assert texts_of([day for day in days if day], rule).to_list() == [
            text for text, day in zip(texts, days, strict=True) if day
        ]
    far = pl.Series([2932897, -719163] * FEW).cast(pl.Date)
    assert texts_of(far, Rule()).to_list() == ["+10000-01-01", "0000-12-31"] * FEW
    with pytest.raises(ValueError, match="hundreds of thousands of years away"):
        texts_of(pl.Series([2**31 - 1, 0] * FEW, dtype=pl.Int32).cast(pl.Date), Rule())


@pytest.mark.parametrize(
    "other",
    [
        1,
        1.5,
        b"a",
        True,
        NAN,
        None,
        pd.NA,
        pd.NaT,
        date(2024, 1, 1),
        datetime(2024, 1, 1),
        Decimal(2),
    ],
    ids=repr,
)
@pytest.mark.parametrize("first", ["t", 3, 2.5, False, date(2000, 1, 1)])
def test_one_value_of_another_type_among_many(first, other):
    values = [None, *[first] * FEW, other]
    if isinstance(other, bytes):
        with pytest.raises(TypeError, match="b'a' is a bytes"):
            texts_of(values, Rule())
    else:
        assert texts_of(values, Rule()).to_list() == [text_of(value, Rule()) for value in values]


# What a run encoded is what serving makes of the same raw values.


def frame_of_every_kind():
    n = 300
    draw = np.random.default_rng(0)
    whole = draw.integers(-5, 40, n)
    return pl.DataFrame(
        {
            "y": draw.normal(size=n).round(3),
            "town": [None if i % 11 == 0 else f"t{i % 23}é" for i in range(n)],
            "numeral": [("1", "1.0", "01", "1e0", "NaN", "")[i % 6] for i in range(n)],
            "whole": whole,
            "big": [2**62 + i % 7 for i in range(n)],
            "id": [None if i % 17 == 0 else float(i % 40) for i in range(n)],
            "huge": [float(2**60 + 2**20 * (i % 5)) for i in range(n)],
            "price": draw.lognormal(2, 2, n),
            "short": pl.Series(draw.lognormal(2, 2, n), dtype=pl.Float32),
            "rounded": whole * 7,
            "flag": [None if i % 13 == 0 else i % 3 == 0 for i in range(n)],
            "day": [date(2024, 1, 1 + i % 28) for i in range(n)],
            "at": [datetime(2024, 1, 1, i % 24, 0, i % 60, i * 1000 % 7000) for i in range(n)],
            "zoned": pl.Series(
                [datetime(2024, 1, 1, i % 24) for i in range(n)]
            ).dt.replace_time_zone("Asia/Tokyo"),
            "kind": pl.Series([f"k{i % 5}" for i in range(n)], dtype=pl.Categorical),
            "cost": pl.Series([Decimal(i % 90) / 4 for i in range(n)], dtype=pl.Decimal(9, 2)),
            "units": pl.Series([Decimal(i % 9) for i in range(n)], dtype=pl.Decimal(9, 0)),
            "tags": [[f"g{j}" for j in range(i % 4)] or None for i in range(n)],
            "numbers": [list(range(i % 3)) for i in range(n)],
        }
    )


def require_served_as_encoded(dataset, raw):
    reader = ColumnReader(dataset.features, dataset.rules, dataset.separators)
    for name, column in zip(dataset.features, reader.read(raw), strict=True):
        if name in dataset.separators:
            column = [MEMBERS.join(members) for members in column]
        assert list(column) == dataset.column(name).to_list(), name


def test_a_table_is_served_as_it_was_encoded(tmp_path):
    raw = frame_of_every_kind()
    dataset = table(tmp_path, raw, numeric=("rounded",))
    kinds = {name: rule.kind for name, rule in dataset.rules.items()}
    assert [name for name, kind in kinds.items() if kind == "number"] == [
        "price",
        "short",
        "rounded",
        "cost",
    ]
    assert [name for name, kind in kinds.items() if kind == "whole"] == ["id", "huge"]
    require_served_as_encoded(dataset, raw)
    require_served_as_encoded(dataset, raw.lazy())
    require_served_as_encoded(dataset, raw.to_arrow())
    require_served_as_encoded(dataset, raw.to_arrow().to_batches()[0])
    require_served_as_encoded(dataset, raw.to_pandas(use_pyarrow_extension_array=True))
    dates = raw["day"].to_list()  # pandas itself has times alone
    require_served_as_encoded(dataset, raw.to_pandas().assign(day=pd.Series(dates, dtype=object)))
    require_served_as_encoded(dataset, raw.rows(named=True))
    again = pl.concat(
        [
            pl.DataFrame(ue_bench.texts(row, dataset.rules)).drop("tags", "numbers")
            for row in raw[:40].rows(named=True)
        ]
    )
    assert again.equals(pl.DataFrame([dataset.column(name)[:40] for name in again.columns]))


def test_a_csv_file_is_served_as_it_was_encoded(tmp_path):
    raw = frame_of_every_kind().select(
        "y",
        "town",
        "numeral",
        "whole",
        "big",
        "id",
        "price",
        "rounded",
        pl.col("flag").cast(pl.String),
        "day",
        pl.col("tags").list.join("|"),
    )
    dataset = table(tmp_path, raw, "t.csv", numeric=("rounded",), missing=("-1", "t3é"))
    with open(tmp_path / "t.csv", encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    require_served_as_encoded(dataset, rows)
    texts = pl.DataFrame(rows)
    require_served_as_encoded(dataset, texts)
    numbers = texts.with_columns(raw["whole"], raw["big"], raw["id"], raw["price"], raw["rounded"])
    require_served_as_encoded(dataset, numbers)
    require_served_as_encoded(dataset, numbers.to_pandas())


@given(
    st.lists(
        NUMERALS | TEXTS.filter(lambda text: "\r" not in text and "\0" not in text),
        min_size=1,
        max_size=9,
    )
)
def test_a_csv_column_of_numerals_is_served_as_it_was_encoded(tmp_path_factory, values):
    folder = tmp_path_factory.mktemp("csv")
    raw = pl.DataFrame(
        {"y": [1.0] * len(values), "x": values}, schema={"y": pl.Float64, "x": pl.String}
    )
    dataset = table(folder, raw, "t.csv")
    require_served_as_encoded(dataset, raw)
    for row in range(len(values)):
        text = text_of(values[row], dataset.rules["x"])
        assert text == dataset.column("x")[row]


def test_a_text_is_read_as_a_whole_before_it_is_split():
    """An absent text is the value of a row; inside a row it is a value like others."""
    reader = ColumnReader(("tags",), {"tags": Rule("text", ABSENT)}, {"tags": "|"})
    rows = ["a|NaN", "NaN", None, "", "a||b", ["a", "NaN"], ["NaN"], ["a", None, NAN], [], [1, 2.0]]
    wanted = [
        ["a", "NaN"],
        [""],
        [""],
        [""],
        ["a", "", "b"],
        ["a", "NaN"],
        [],
        ["a"],
        [],
        ["1", "2"],
    ]
    assert reader.read({"tags": rows}) == [wanted]
    assert [reader.read([{"tags": row}])[0][0] for row in rows] == wanted


def test_the_texts_of_a_frame_are_those_of_a_run(tmp_path):
    raw = frame_of_every_kind().with_columns(
        y=pl.when(pl.col("whole") == 3).then(None).otherwise(pl.col("y")),
        # a fraction in a row without a target, which a run leaves out
        id=pl.when(pl.col("whole") == 3).then(0.5).otherwise(pl.col("id")),
    )
    names = tuple(name for name in raw.columns if name != "y")
    dataset = table(tmp_path, raw, numeric=("rounded",))
    definition = Definition("t.parquet", "y", names, numeric=("rounded",))
    for frame in (raw, raw.lazy(), raw.to_arrow(), raw.to_dict(as_series=False)):
        assert ue_bench.rules_of(frame, definition) == dict(dataset.rules), type(frame)
        texts = ue_bench.texts(frame, definition).filter(raw["y"].is_not_null())
        for name in names:
            column = texts[name]
            if column.dtype != pl.String:
                column = column.list.join(MEMBERS)
            assert column.to_list() == dataset.column(name).to_list(), name
    assert ue_bench.rules_of(
        raw.to_pandas().drop(columns=["numbers"]), Definition("t.csv", "y", names[:8])
    )
    with pytest.raises(BenchError, match=r"column 'whole': .*values of one type"):
        ue_bench.texts({"whole": [1, "a"], "y": [1, 2]}, Definition("t.csv", "y", ("whole",)))
    with pytest.raises(BenchError, match="column 'y' is missing"):
        ue_bench.texts(raw.drop("y"), definition)

"""Every form of file that a table may have, and columns that programs wrote in several types."""

import bz2
import gzip
import os
import socket
from contextlib import nullcontext
from datetime import UTC, date, datetime
from decimal import Decimal
from time import perf_counter

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pyarrow.feather
import pyarrow.parquet
import pytest
from click.testing import CliRunner

from ue_bench import data
from ue_bench.cli import main
from ue_bench.data import Definition
from ue_bench.data.table import file_reader
from ue_bench.data.table.definition import ENDS, FORMS
from ue_bench.data.table.table_files import find
from ue_bench.errors import BenchError

FRAME = pl.DataFrame(
    {
        "y": [0.5, 1.0, -2.0, 3.0],
        "x": ["a", "b,c", 'd"', "é"],
        "n": [1, -2, 2**62 + 1, None],
        "z": [True, False, None, True],
        "p": [0.25, 1e-7, 123.0, 4.0],
        "unused": ["u", "v", "w", "x"],
    }
)
COLUMNS = ("x", "n", "z", "p")


def loaded(folder, files, columns=COLUMNS, **more):
    """The data set of these files, from its definition."""
    definition = data.define(Definition(files, "y", columns, **more), folder)
    return data.load("t", folder, definition)


def rows(dataset):
    return [dataset.column(name).to_list() for name in dataset.features]


def zstd(content):
    """The content as zstd's program writes it: a frame that says how it ends."""
    sink = pa.BufferOutputStream()
    with pa.CompressedOutputStream(sink, "zstd") as stream:
        stream.write(content)
    return sink.getvalue().to_pybytes()


def json_lines(frame):
    return frame.write_ndjson().encode()


def text(frame, separator=","):
    return frame.write_csv(separator=separator).encode()


PACK = {"": bytes, ".gz": gzip.compress, ".bz2": bz2.compress, ".zst": zstd}
TEXTS = {".csv": text, ".tsv": lambda frame: text(frame, "\t"), ".jsonl": json_lines}
TEXTS[".ndjson"] = json_lines


@pytest.mark.parametrize("packing", PACK)
@pytest.mark.parametrize("end", TEXTS)
def test_text_and_json_lines_in_every_compression(tmp_path, end, packing):
    FRAME.write_parquet(tmp_path / "t.parquet")
    (tmp_path / f"t{end}{packing}").write_bytes(PACK[packing](TEXTS[end](FRAME)))
    wanted = loaded(tmp_path, "t.parquet")
    found = loaded(tmp_path, f"t{end}{packing}")
    assert rows(found) == rows(wanted)
    assert np.array_equal(found.target, wanted.target)


@pytest.mark.parametrize("packing", [".gz", ".bz2", ".zst"])
def test_packed_files_of_several_parts_and_torn_ones(tmp_path, packing):
    content = text(FRAME)
    pieces = [content[:30], content[30:]]
    (tmp_path / f"t.csv{packing}").write_bytes(b"".join(map(PACK[packing], pieces)))
    assert loaded(tmp_path, f"t.csv{packing}").n_rows == 4
    (tmp_path / f"t.csv{packing}").write_bytes(PACK[packing](content * 50)[:-30])
    with pytest.raises(BenchError, match=rf"t\.csv{packing}: "):
        loaded(tmp_path, f"t.csv{packing}")


def write_stream(path, table):
    with pa.OSFile(str(path), "wb") as sink, pa.ipc.new_stream(sink, table.schema) as writer:
        writer.write_table(table)


def write_arrow(path, how):
    table = FRAME.to_arrow()
    if how == "stream":
        write_stream(path, table)
    elif how == "pandas":
        FRAME.to_pandas().to_feather(path)
    elif how == "lz4":
        pa.feather.write_feather(table, path, compression="lz4")
    else:
        FRAME.write_ipc(path)


@pytest.mark.parametrize("how", ["polars", "stream", "pandas", "lz4"])
@pytest.mark.parametrize("end", [".arrow", ".feather", ".ipc"])
def test_arrow_files_of_every_writer(tmp_path, end, how, monkeypatch):
    FRAME.write_parquet(tmp_path / "t.parquet")
    write_arrow(tmp_path / f"t{end}", how)
    wanted = rows(loaded(tmp_path, "t.parquet"))
    # pandas has no whole number that is missing, and reads truth values of these as objects
    columns = ("x", "p") if how == "pandas" else COLUMNS
    wanted = [wanted[COLUMNS.index(name)] for name in columns]
    assert rows(loaded(tmp_path, f"t{end}", columns)) == wanted
    monkeypatch.setattr(file_reader, "ROWS", 3)
    assert rows(loaded(tmp_path, f"t{end}", columns)) == wanted


def test_a_damaged_arrow_file_is_one_line(tmp_path):
    FRAME.write_ipc(tmp_path / "t.arrow")
    whole = (tmp_path / "t.arrow").read_bytes()
    rng = np.random.default_rng(0)
    outcomes = set()
    for cut in (0, 3, 6, 100, len(whole) - 9):
        (tmp_path / "t.arrow").write_bytes(whole[:cut])
        with pytest.raises(BenchError, match=r"t\.arrow: "):
            loaded(tmp_path, "t.arrow")
    for _ in range(60):
        damaged = bytearray(whole)
        for place in rng.integers(8, len(whole), 4):
            damaged[place] = rng.integers(0, 256)
        (tmp_path / "t.arrow").write_bytes(damaged)
        try:
            outcomes.add(loaded(tmp_path, "t.arrow").n_rows)
        except BenchError as error:
            outcomes.add(f"refused: {error}")
    assert any(str(outcome).startswith("refused") for outcome in outcomes)
    assert not any("\n" in str(outcome) for outcome in outcomes)
    (tmp_path / "t.feather").write_bytes(b"FEA1" + bytes(200))
    with pytest.raises(BenchError, match="is Feather of version 1"):
        loaded(tmp_path, "t.feather")


# ---- JSON lines


def write_lines(path, *lines):
    path.write_text("".join(line + "\n" for line in lines))


def test_json_lines_have_the_categories_of_a_parquet_file(tmp_path):
    frame = pl.DataFrame(
        {
            "y": [1.0, 2.0, 3.0],
            "x": ["2024-01-01", None, "007"],
            "n": [2**63 - 1, -(2**63), None],
            "u": [2**64 - 1, 0, 5],
            "f": [1.0, None, 2.0],
            "l": [["a", None], [], ["b", "a"]],
            "k": [[1], [2, 3], None],
            "e": [None, None, None],
        },
        schema_overrides={"u": pl.UInt64},
    )
    frame.write_parquet(tmp_path / "t.parquet")
    (tmp_path / "t.jsonl").write_bytes(json_lines(frame))
    columns = tuple(frame.columns[1:])
    assert rows(loaded(tmp_path, "t.jsonl", columns)) == rows(
        loaded(tmp_path, "t.parquet", columns)
    )


def test_a_row_of_json_lines_may_lack_a_field_and_a_line_may_be_empty(tmp_path, monkeypatch):
    lines = ('\ufeff{"y":1,"a":"p"}', "", '{"b":2,"y":0}\r', '  {"y":1,"a":null, "c":{"d":[1]}}  ')
    write_lines(tmp_path / "t.jsonl", *lines, '{"y": NaN, "a":"lost"}', '{"y":2,"a":"q"}')
    for block in (1 << 24, 400):
        monkeypatch.setattr(file_reader, "BLOCK", block)
        found = loaded(tmp_path, "t.jsonl", ("a", "b"))
        assert rows(found) == [["p", "", "", "q"], ["", "2", "", ""]]
        assert found.facts["left_out"] == 1
    with pytest.raises(BenchError, match=r"unknown column of t.jsonl 'd'; choose from: a, b, c, y"):
        loaded(tmp_path, "t.jsonl", ("d",))


def test_a_type_that_a_later_block_of_json_lines_shows_is_that_of_all(tmp_path, monkeypatch):
    monkeypatch.setattr(file_reader, "BLOCK", 200)
    lines = [f'{{"y":1,"a":{n},"b":null,"l":[]}}' for n in range(50)]
    write_lines(tmp_path / "t.jsonl", *lines, '{"y":1,"a":2.0,"b":"late","l":["m"]}')
    found = loaded(tmp_path, "t.jsonl", ("a", "b", "l"))
    assert found.column("a").to_list() == [*map(str, range(50)), "2"]
    assert found.column("b").to_list() == [""] * 50 + ["late"]
    assert found.separators == {"l": "\x1e"}


JSON_FAULTS = {
    "text and number": (('{"y":1,"a":1}', '{"y":1,"a":"b"}'), 'row 2: a is "b", but 1 in row 1'),
    "truth and number": (('{"y":1,"a":1.5}', '{"y":1,"a":true}'), "row 2: a is true, but 1.5"),
    "list and text": (('{"y":1,"a":"b"}', '{"y":1,"a":["b"]}'), 'row 2: a is .*, but "b" in row 1'),
    "an object": (('{"y":1,"a":null}', '{"y":1,"a":{"b":1}}'), "row 2: a is an object"),
    "objects in a list": (('{"y":1,"a":[{"b":1}]}',), "row 1: a member of a is an object"),
    "lists of two kinds": (
        ('{"y":1,"a":[1]}', '{"y":1,"a":["b"]}'),
        'row 2: a member of a is "b", but 1 in row 1',
    ),
    "no JSON": (('{"y":1,"a":1}', "", '{"y":1,'), r"row 2: is no JSON \(.*'{\"y\":1,'"),
    "no object": (('{"y":1,"a":1}', "null"), "row 2: 'null' is no object"),
    "one array": (('[{"y":1,"a":1}]',), "row 1: .* is no object"),
    "deep": (('{"y":1,"a":' + "[" * 9000 + "]" * 9000 + "}",), "row 1: is nested too deep"),
    "half a character": (('{"y":1,"a":"\\ud800"}',), "row 1: is no text in UTF-8"),
    "too large": (('{"y":1,"a":-1}', '{"y":1,"a":18446744073709551616}'), "more than 64 bits"),
    "not exact": (
        ('{"y":1,"a":9007199254740993}', '{"y":1,"a":0.5}'),
        "row 1: a is 90071992547409",
    ),
    "text as target": (
        ('{"y":"yes","a":1}', '{"y":"no","a":1}'),
        "target 'y' is text: 'yes', 'no'",
    ),
    "empty": ((), "unknown column of t.jsonl 'a'"),
}


@pytest.mark.parametrize(("lines", "message"), JSON_FAULTS.values(), ids=JSON_FAULTS)
def test_json_lines_that_are_no_table(tmp_path, lines, message):
    write_lines(tmp_path / "t.jsonl", *lines)
    with pytest.raises(BenchError, match=message) as caught:
        loaded(tmp_path, "t.jsonl", ("a",))
    assert "\n" not in str(caught.value)


def test_json_lines_in_another_encoding_or_without_an_end(tmp_path, monkeypatch):
    (tmp_path / "t.jsonl").write_bytes(b'{"y":1,"a":"\xe9"}\n')
    with pytest.raises(BenchError, match="row 1: is no text in UTF-8"):
        loaded(tmp_path, "t.jsonl", ("a",))
    (tmp_path / "t.jsonl").write_bytes(b'{"y":1,"a":"b"}')
    assert rows(loaded(tmp_path, "t.jsonl", ("a",))) == [["b"]]
    monkeypatch.setattr(file_reader, "BLOCK", 40)
    (tmp_path / "t.jsonl").write_bytes(b'{"y":1,"a":"' + b"b" * 99 + b'"}')
    with pytest.raises(BenchError, match="a line has more than 40 bytes"):
        loaded(tmp_path, "t.jsonl", ("a",))


# ---- one column, several types


def write_days(folder, first, second):
    for name, values in (("1.parquet", first), ("2.parquet", second)):
        target = pa.array([float(n) for n in range(len(values))])
        table = pa.table({"y": target, "x": values})
        pa.parquet.write_table(table, folder / name)


DAYS = {
    "whole numbers and floats": ([1, 2], [1.0, None], ["1", "2", "1", ""]),
    "floats and whole numbers": ([1.0, None], [1, 2], ["1", "", "1", "2"]),
    "narrow and wide": (pa.array([1, 2], pa.int8()), [2, 3], ["1", "2", "2", "3"]),
    "unsigned and signed": (pa.array([1], pa.uint64()), [-1], ["1", "-1"]),
    "nothing and text": (pa.nulls(2), ["a", "b"], ["", "", "a", "b"]),
    "text and nothing": (["a", "b"], pa.nulls(1), ["a", "b", ""]),
    "nothing and numbers": (pa.nulls(1), [1], ["", "1"]),
    "missing floats and text": (pa.array([None, None], pa.float64()), ["a"], ["", "", "a"]),
    "text and missing floats": (["a"], pa.array([float("nan")]), ["a", ""]),
    "categories and text": (pa.array(["a", "b"]).dictionary_encode(), ["b"], ["a", "b", "b"]),
    "large text and text": (pa.array(["a"], pa.large_string()), ["a"], ["a", "a"]),
    "categories of numbers": (pa.array([7]).dictionary_encode(), [7.0], ["7", "7"]),
    "short and long floats": (pa.array([1.5], pa.float32()), [1.5], ["1.5", "1.5"]),
    "decimals": (pa.array([Decimal("2.50")]), pa.array([Decimal("2.5")]), ["2.5", "2.5"]),
    "decimals and floats": (pa.array([Decimal("2.50")]), [2.5], ["2.5", "2.5"]),
    "whole decimals": (pa.array([Decimal("25")]), [25], ["25", "25"]),
    "units of time": (
        pa.array([datetime(2024, 1, 2, 3)], pa.timestamp("ns")),
        pa.array([datetime(2024, 1, 2, 3)], pa.timestamp("s")),
        ["2024-01-02T03:00:00", "2024-01-02T03:00:00"],
    ),
    "zones": (
        pa.array([datetime(2024, 1, 2, 3, tzinfo=UTC)], pa.timestamp("us", tz="Europe/Paris")),
        pa.array([datetime(2024, 1, 2, 3, tzinfo=UTC)], pa.timestamp("ms", tz="UTC")),
        ["2024-01-02T03:00:00Z", "2024-01-02T03:00:00Z"],
    ),
    "lists": (
        [["a"], []],
        pa.array([["a"], None], pa.large_list(pa.large_string())),
        ["a", "", "a", ""],
    ),
    "empty lists": (pa.array([[]], pa.list_(pa.null())), [["a", "b"]], ["", "a\x1eb"]),
}


@pytest.mark.parametrize(("first", "second", "wanted"), DAYS.values(), ids=DAYS)
def test_a_column_of_several_types_has_one_text_a_value(tmp_path, first, second, wanted):
    write_days(tmp_path, first, second)
    found = loaded(tmp_path, "?.parquet", ("x",))
    assert found.column("x").to_list() == wanted
    assert sorted(found.single("x").values) == sorted(set(wanted))


@pytest.mark.parametrize(
    ("first", "second", "message"),
    [
        ([1], ["a"], r"2.parquet: column 'x' holds String, but Int64 in 1.parquet"),
        ([1], [True], "holds Boolean, but Int64"),
        ([1.5], ["a"], "holds String, but Float64"),
        ([date(2024, 1, 1)], [datetime(2024, 1, 1)], "holds Datetime.*, but Date"),
        (
            pa.array([datetime(2024, 1, 1)]),
            pa.array([datetime(2024, 1, 1)], pa.timestamp("us", tz="UTC")),
            "holds Datetime",
        ),
        ([["a"]], [[1]], r"holds List\(Int64\), but List\(String\)"),
        ([5, 2**53 + 1], [0.5], r"1.parquet, row 2: x is 9007199254740993, which .* Float64"),
        (pa.array([1, 2**64 - 1], pa.uint64()), [1], "1.parquet, row 2: x is 18446744073709551615"),
    ],
)
def test_types_without_one_in_common_are_refused(tmp_path, first, second, message):
    write_days(tmp_path, first, second)
    with pytest.raises(BenchError, match=message):
        loaded(tmp_path, "?.parquet", ("x",))


def test_the_days_of_pandas_are_one_table(tmp_path):
    """A day without a missing value has whole numbers, another one floats, a third one nothing."""
    days = [
        {"y": [1, 0], "user": [10, 11], "city": ["a", "b"]},
        {"y": [1, 1], "user": [10, None], "city": ["a", None]},
        {"y": [0, 1], "user": [None, None], "city": [None, None]},
        {"y": [0.0, None], "user": [11, 12], "city": [np.nan, np.nan]},
    ]
    for number, day in enumerate(days):
        pd.DataFrame(day).to_parquet(tmp_path / f"day-{number}.parquet")
    found = loaded(tmp_path, "day-*.parquet", ("user", "city"))
    assert found.column("user").to_list() == ["10", "11", "10", "", "", "", "11"]
    assert found.column("city").to_list() == ["a", "b", "a", "", "", "", ""]
    assert found.target.tolist() == [1, 0, 1, 1, 0, 1, 0]


def test_types_that_polars_lacks_are_refused(tmp_path):
    for values, message in (
        (pa.array([Decimal("1.5")], pa.decimal256(60, 2)), r"holds decimal256\(60, 2\)"),
        (pa.array([1], pa.timestamp("us", tz="Nowhere/X")), "Nowhere/X"),
    ):
        table = pa.table({"y": [1.0], "x": values})
        write_stream(tmp_path / "t.arrow", table)
        with pytest.raises(BenchError, match=message):
            loaded(tmp_path, "t.arrow", ("x",))


# ---- what is no file, and a very wide one


def test_a_pipe_a_device_and_a_socket_are_refused_at_once(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)  # the path of a socket is short
    os.mkfifo("pipe.csv")
    os.mkfifo("pipe.toml")
    os.mkfifo("part-1.csv")
    os.symlink("/dev/zero", "device.csv")
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind("socket.csv")
    for name, noun in (
        ("pipe.csv", "a named pipe, not a file"),
        ("pipe.toml", "a named pipe, and not a regular file"),
        ("part-*.csv", "a named pipe, not a file"),
        ("device.csv", "a device, not a file"),
        ("socket.csv", "a socket, not a file"),
    ):
        options = [] if name.endswith("toml") else ["--target", "y", "--features", "x"]
        done = CliRunner().invoke(main, ["data", "--dataset", name, *options])
        assert done.exit_code == 2
        assert f"is {noun}" in done.stderr
        assert len(done.stderr.splitlines()) == 1
    done = CliRunner().invoke(main, ["data", "--dataset", "criteo", "--data-dir", "pipe.csv"])
    assert "is a named pipe, not a file" in done.stderr


@pytest.mark.slow
@pytest.mark.alone
def test_a_header_of_100_000_columns_is_read_in_seconds(tmp_path):
    n = 100_000
    names = [f"c{number}" for number in range(n)]
    line = ",".join(["1"] * n)
    (tmp_path / "t.csv").write_text(f"{','.join(names)}\n{line}\n{line}\n")
    started = perf_counter()
    files = find(tmp_path, "t.csv")
    files.require(names)
    wide = Definition("t.csv", "c0", tuple(names[1:]), numeric=tuple(names[5:9]))
    found = data.load("t", tmp_path, Definition("t.csv", "c0", ("c7", "c99999")).to_dict())
    assert perf_counter() - started < 60  # comparing each name with all before it takes minutes
    assert len(wide.columns) == n
    assert found.n_rows == 2
    with pytest.raises(BenchError, match=r"unknown column of t\.csv 'c100000'"):
        files.require(["c100000"])
    with pytest.raises(BenchError, match="and 99,900 more"):
        files.require(["c100000"])


def test_the_forms_are_named_where_a_name_has_none(tmp_path):
    for end in FORMS:
        assert end in ENDS
    (tmp_path / "t.xlsx").write_bytes(b"")
    for name in ("t.xlsx", "t.parquet.gz"):
        with pytest.raises(BenchError, match=r"it must end in \.csv"):
            data.define(Definition(name, "y", ("x",)), tmp_path)


FAR = 2**62


@pytest.mark.parametrize(
    ("column", "as_feature", "as_time"),
    [
        (pa.array([0, 2**31 - 1], pa.int32()).cast(pa.date32()), "years away", "years away"),
        (pa.array([0, -FAR]).cast(pa.timestamp("ms")), "years away", "years away"),
        (pa.array([0, FAR]).cast(pa.timestamp("us", "UTC")), None, None),
        (pa.array([0.0, float("inf")]), None, "is no whole number"),
        (pa.array([0.0, 1e300]), None, "beyond 64 bits"),
        (pa.array([0, 2**64 - 1], pa.uint64()), None, "beyond 64 bits"),
    ],
    ids=str,
)
def test_far_dates_and_numbers_are_read_or_refused_in_one_line(
    tmp_path, column, as_feature, as_time
):
    table = pa.table({"x": ["a", "b"], "y": [0.0, 1.0], "t": column})
    pa.parquet.write_table(table, tmp_path / "t.parquet")
    for features, time, fault in ((("x", "t"), None, as_feature), (("x",), "t", as_time)):
        definition = Definition("t.parquet", "y", features, time=time)
        reading = nullcontext() if fault is None else pytest.raises(BenchError, match=fault)
        with reading:
            data.load("t", tmp_path, data.define(definition, tmp_path))

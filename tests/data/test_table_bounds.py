"""Small files that unpack to a lot: refused in one line, or read with little memory."""

import bz2
import gzip

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from click.testing import CliRunner

from ue_bench.cli import main
from ue_bench.data import Definition, load
from ue_bench.data.table import file_reader, long_texts, parquet_rows, unpacked_bytes
from ue_bench.data.table.definition import FORMS, form_of
from ue_bench.data.table.file_reader import text_stream
from ue_bench.data.table.parquet_rows import ParquetFile
from ue_bench.errors import BenchError

PACK = {
    ".gz": gzip.compress,
    ".bz2": bz2.compress,
    ".zst": lambda content: pa.compress(content, codec="zstd", asbytes=True),
}


def refused(path):
    """The one line with which a command refuses a table."""
    line = ["data", "--dataset", str(path), "--target", "y", "--features", "x"]
    done = CliRunner().invoke(main, line)
    assert done.exit_code == 2, done.output
    assert len(done.stderr.splitlines()) == 1
    assert str(path) in done.stderr
    return done.stderr


def rows(path, *features):
    found = load("t", path.parent, Definition(path.name, "y", features or ("x",)).to_dict())
    return [found.column(name).to_list() for name in found.features], found.target.tolist()


# ---- packed text


@pytest.mark.parametrize("packing", PACK)
@pytest.mark.parametrize("end", [".csv", ".jsonl"])
def test_text_that_unpacks_to_far_more_is_refused_where_it_is_too_much(
    tmp_path, monkeypatch, end, packing
):
    n = 200_000
    content = {".csv": b"y,x\n" + b"1,a\n" * n, ".jsonl": b'{"y":1,"x":"a"}\n' * n}[end]
    path = tmp_path / f"t{end}{packing}"
    path.write_bytes(PACK[packing](content))
    assert rows(path) == ([["a"] * n], [1.0] * n)  # no bound on what is small
    unpacked = []
    read = unpacked_bytes.BoundedStream.read

    def counted(stream, size=-1):
        piece = read(stream, size)
        unpacked.append(len(piece))
        return piece

    monkeypatch.setattr(unpacked_bytes.BoundedStream, "read", counted)
    monkeypatch.setattr(file_reader, "BLOCK", 1 << 14)
    monkeypatch.setattr(unpacked_bytes, "SMALL", 1 << 16)
    monkeypatch.setattr(unpacked_bytes, "MOST_RATIO", 20)
    stored = path.stat().st_size
    said = refused(path)
    assert "is refused: it unpacks to at least" in said
    assert f"out of {stored:,}, more than 20 to 1; if it is right, unpack it, and give the" in said
    # pyarrow has asked for some pieces ahead when it meets the error
    assert sum(unpacked) < len(content) / 2
    # the text itself is read
    plain = tmp_path / f"plain{end}"
    plain.write_bytes(content)
    assert rows(plain)[1] == [1.0] * n
    monkeypatch.setattr(unpacked_bytes, "MOST_RATIO", len(content) // stored + 1)
    assert rows(path)[1] == [1.0] * n


def test_no_honest_text_is_near_the_bound(tmp_path):
    """A column that counts and one of a few values: far less repetitive tables are called dull."""
    lines = "".join(f"{number % 7},{number},{number % 97}\n" for number in range(50_000)).encode()
    for pack in PACK.values():
        assert len(lines) / len(pack(lines)) < unpacked_bytes.MOST_RATIO / 10
    assert unpacked_bytes.SMALL >= 1 << 30
    (tmp_path / "t.csv").write_bytes(lines)
    with text_stream(tmp_path / "t.csv") as stream:
        assert not isinstance(stream, pa.PythonFile)


# ---- Parquet


def write(path, columns, **options):
    table = pa.table(columns)
    pq.write_table(table, path, compression="zstd", store_schema=False, **options)
    return path


def test_rows_that_take_no_room_are_refused_by_what_the_file_claims(tmp_path, monkeypatch):
    n = 200_000
    path = write(tmp_path / "t.parquet", {"y": [1.0] * n, "x": ["a"] * n, "other": ["b"] * n})
    assert path.stat().st_size < 5_000
    assert len(rows(path)[1]) == n
    monkeypatch.setattr(
        pq.ParquetFile, "iter_batches", lambda *_, **__: pytest.fail("it is unpacked")
    )
    monkeypatch.setattr(unpacked_bytes, "SMALL", 4 * 2 * n)
    monkeypatch.setattr(unpacked_bytes, "MOST_RATIO", 100)
    monkeypatch.setattr(unpacked_bytes, "memory_bytes", lambda: 4 * 2 * n - 1)
    assert (
        "is refused: 200,000 rows of 2 columns take 1,600,000 bytes, and this machine has 1,599,999"
        " of memory; give fewer rows or columns"
    ) in refused(path)
    monkeypatch.setattr(unpacked_bytes, "SMALL", 4 * 2 * n - 1)
    assert "is refused: it claims 1,600,000 bytes out of" in refused(path)
    assert unpacked_bytes.memory_bytes() > 0


def test_a_long_text_in_every_row_is_read_a_piece_at_a_time(tmp_path, monkeypatch):
    long = ["a" * 5_000, "b" * 4_000, None, "c", "ä" * 2_000]
    n = 3_000
    texts = [long[(number * number) % 5] for number in range(n)]
    columns = {
        "y": [float(number % 3) for number in range(n)],
        "x": texts,
        "a.b": [None, *texts[:-1]],
        "short": [str(number) for number in range(n)],
        "lists": [[] if number % 2 else [texts[number] or "d", "c"] for number in range(n)],
    }
    names = ("x", "a.b", "short", "lists")
    path = write(tmp_path / "t.parquet", columns, row_group_size=1_000)
    plain = tmp_path / "plain.parquet"
    write(plain, columns, use_dictionary=False)
    whole = rows(path, *names)
    assert whole == rows(plain, *names)
    monkeypatch.setattr(long_texts, "BATCH_BYTES", 1 << 17)
    assert rows(path, *names) == whole
    assert rows(plain, *names) == whole
    reader = ParquetFile(path, FORMS[".parquet"])
    for asked in (names[:3], names):
        schema = pa.schema([(name, reader.kind(name)) for name in asked])
        batches = list(reader.batches(schema))
        assert {batch.schema for batch in batches} == {schema}
        for name in asked:
            assert max(batch.column(name).nbytes for batch in batches) < (1 << 17) + 2 * 5_000
    monkeypatch.setattr(unpacked_bytes, "SMALL", 1 << 20)
    monkeypatch.setattr(unpacked_bytes, "MOST_RATIO", 30)
    assert "is refused: its texts have at least" in refused(path)
    monkeypatch.setattr(file_reader, "BLOCK", 4_999)
    assert (
        "a text of column 'x' has 5,000 bytes, and at most 4,999 are read; leave the column out"
    ) in refused(path)


def zigzag(number):
    """A number as it is in the metadata of Parquet."""
    number = (number << 1) ^ (number >> 63)
    content = b""
    while number >= 128:
        content += bytes([number & 127 | 128])
        number >>= 7
    return content + bytes([number])


@pytest.mark.parametrize("claimed", [0, 1, 9_999, 10_001, 16_000, -1, -16_000])
def test_metadata_that_lie_are_one_line_or_harmless(tmp_path, claimed):
    """Each number of rows or values of the metadata changed by itself, and all of them."""
    n = 10_000
    path = write(tmp_path / "t.parquet", {"y": [1.0, 2.0] * (n // 2), "x": ["a", "b"] * (n // 2)})
    good = path.read_bytes()
    start = len(good) - 8 - int.from_bytes(good[-8:-4], "little")
    true, false = zigzag(n), zigzag(claimed)
    places = [at for at in range(start, len(good)) if good.startswith(true, at)]
    assert len(places) >= 4
    said = []
    for changed in (*([place] for place in places), places):
        footer = bytearray(good)
        for place in reversed(changed):
            footer[place : place + len(true)] = false
        length = len(footer) - 8 - start
        footer[-8:-4] = length.to_bytes(4, "little")
        path.write_bytes(footer)
        try:
            _, targets = rows(path)
        except BenchError as error:
            said.append(str(error))
            assert "\n" not in said[-1]
        else:
            # never more rows than are claimed, and never fewer than any other number says
            assert len(targets) == (claimed if changed == places else n)
    assert len(said) >= 3
    assert any("its metadata are wrong" in line for line in said)


def test_a_chunk_of_no_bytes_and_more_rows_than_there_are(tmp_path, monkeypatch):
    path = write(tmp_path / "t.parquet", {"y": [1.0] * 100, "x": ["a"] * 100})
    iterate = pq.ParquetFile.iter_batches
    monkeypatch.setattr(
        pq.ParquetFile, "iter_batches", lambda *of, **more: list(iterate(*of, **more))[:0]
    )
    assert "its metadata are wrong: it has 0 rows, and claims 100; write the" in refused(path)
    assert parquet_rows.ParquetFile(path, form_of(path.name)).names == ("y", "x")

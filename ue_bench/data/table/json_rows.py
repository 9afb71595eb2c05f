"""Rows of JSON lines: one object a line, whose fields are the columns.

A file is read twice: JSON has no header and no types, so that names and types of the columns are
known after the last row. msgspec decodes the lines, because it keeps whole numbers apart from
floats and refuses what is nested too deep; pyarrow's reader does neither.
"""

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from itertools import chain
from typing import Any, cast

import msgspec
import pyarrow as pa

from ue_bench.data.table import file_reader
from ue_bench.data.table.column_types import not_held
from ue_bench.data.table.file_reader import FileReader, readable, text_stream
from ue_bench.data.table.targets import BadRow, naming_place
from ue_bench.errors import BenchError

_BLOCKS = 4  # a block of text becomes Python's objects, so that it is a fraction of a CSV file's
_BYTE_ORDER_MARK = b"\xef\xbb\xbf"
_WORDS = {
    bool: "a truth value",
    int: "a number",
    float: "a number",
    str: "text",
    list: "a list",
    dict: "an object",
}
_OBJECT = _WORDS[dict]
_SHOWN = 40  # characters of a value in a message


class JsonFile(FileReader):
    """A file of JSON lines. A field that a row lacks is missing there."""

    @cached_property
    def _columns(self) -> dict[str, "_Column"]:
        columns: dict[str, _Column] = {}
        decoder = msgspec.json.Decoder(dict[str, Any])
        before = 0
        for block in self._blocks():
            rows = self._rows(block, decoder, before)
            for name in dict.fromkeys(chain.from_iterable(rows)):
                column = columns.setdefault(name, _Column(name))
                values = [row.get(name) for row in rows]
                column.add(values, range(before, before + len(rows)))
            before += len(rows)
        return columns

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(self._columns)

    def kind(self, name: str) -> pa.DataType:
        if name not in self._columns:
            return pa.null()
        with naming_place(self.path, 0):
            return self._columns[name].kind()

    def batches(self, schema: pa.Schema) -> Iterator[pa.RecordBatch]:
        # the fields that are not asked for are not kept
        fields = [f"column_{number}" for number in range(len(schema))]
        definitions = [(field_name, Any, None) for field_name in fields]
        renamed = dict(zip(fields, schema.names, strict=True))
        decoder = msgspec.json.Decoder(msgspec.defstruct("Row", definitions, rename=renamed))
        before = 0
        for block in self._blocks():
            rows = self._rows(block, decoder, before)
            columns = []
            for field_name, column in zip(fields, schema, strict=True):
                values = [getattr(row, field_name) for row in rows]
                with naming_place(self.path, before):
                    columns.append(_array(column.name, column.type, values))
            yield pa.record_batch(columns, schema=schema)
            before += len(rows)

    def _blocks(self) -> Iterator[bytes]:
        """Yield whole lines, some at a time."""
        size = max(1, file_reader.BLOCK // _BLOCKS)
        rest = b""
        is_first = True
        with readable(self.path), text_stream(self.path) as stream:
            while piece := stream.read(size):
                if is_first:
                    piece = piece.removeprefix(_BYTE_ORDER_MARK)
                    is_first = False
                end = piece.rfind(b"\n") + 1
                if end:
                    yield rest + piece[:end]
                    rest = piece[end:]
                else:
                    rest += piece
                if len(rest) > file_reader.BLOCK:
                    raise BenchError(
                        f"{self.path}: a line has more than {file_reader.BLOCK:,} bytes; "
                        "JSON lines have one object a line"
                    )
            if rest:
                yield rest

    def _rows(self, block: bytes, decoder: msgspec.json.Decoder[Any], before: int) -> list[Any]:
        """Return the objects of some lines. before: number of rows before these."""
        try:
            return decoder.decode_lines(block)
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
            # The error names no line, and json.dumps writes NaN, which is no JSON.
            with naming_place(self.path, before):
                return [msgspec.convert(row, decoder.type) for row in _rows_one_by_one(block)]


def _rows_one_by_one(block: bytes) -> Iterator[dict[str, Any]]:
    """Yield the object of each line. Raises BadRow for a line that is none."""
    lines = [line for line in block.split(b"\n") if line.strip()]
    for number, line in enumerate(lines):
        try:
            row = json.loads(line)
            json.dumps(row, ensure_ascii=False).encode()  # half of a surrogate pair has no UTF-8
        except RecursionError as error:
            raise BadRow("is nested too deep", number) from error
        except UnicodeError as error:
            raise BadRow("is no text in UTF-8", number) from error
        except ValueError as error:
            raise BadRow(f"is no JSON ({error}): {_shown(line)}", number) from error
        if not isinstance(row, dict):
            raise BadRow(f'{_shown(line)} is no object; a row is {{"name": value}}', number)
        yield row


def _shown(line: bytes) -> str:
    return repr(line[:_SHOWN].decode(errors="replace"))


@dataclass
class _Column:
    """What the values of a field are.

    first: by the words of _WORDS, the first value of each kind and its row.
    has_floats: whether some number has a point or an exponent. least, most: of whole numbers.
    members: what the members of lists are.
    """

    name: str
    first: dict[str, tuple[int, Any]] = field(default_factory=dict)
    has_floats: bool = False
    least: int = 0
    most: int = 0
    members: "_Column | None" = None

    def add(self, values: Sequence[Any], rows: Sequence[int]) -> None:
        """Take note of more values. rows: the row of each."""
        kinds = set(map(type, values))
        kinds.discard(type(None))
        for kind in kinds:
            if _WORDS[kind] not in self.first:
                place = next(n for n, value in enumerate(values) if type(value) is kind)
                self.first[_WORDS[kind]] = (rows[place], values[place])
        if float in kinds:
            self.has_floats = True
        if int in kinds:
            numbers = [value for value in values if type(value) is int]
            self.least = min(self.least, *numbers)
            self.most = max(self.most, *numbers)
        if list in kinds:
            self._add_members(values, rows)

    def _add_members(self, values: Sequence[Any], rows: Sequence[int]) -> None:
        if self.members is None:
            self.members = _Column(f"a member of {self.name}")
        members = []
        member_rows = []
        for row, value in zip(rows, values, strict=True):
            if type(value) is list:
                members += value
                member_rows += [row] * len(value)
        self.members.add(members, member_rows)

    def kind(self) -> pa.DataType:
        """Return the type of the column. Raises BadRow for values that have none in common."""
        if not self.first:
            return pa.null()
        by_row = sorted(self.first.items(), key=lambda entry: entry[1][0])
        word, (row, value) = by_row[0]
        if _OBJECT in self.first:
            raise BadRow(
                f"{self.name} is an object; a value is text, a number, a truth value or a list: "
                "write the fields of the object as fields of the row",
                self.first[_OBJECT][0],
            )
        if len(by_row) > 1:
            other_row, other = by_row[1][1]
            raise BadRow(
                f"{self.name} is {_short(other)}, but {_short(value)} in row {row + 1}; a column "
                "has one kind of values: text, numbers, truth values or lists",
                other_row,
            )
        if word == _WORDS[list]:
            members = cast(_Column, self.members)  # made with the first list
            return pa.list_(members.kind())
        if word == _WORDS[int]:
            return self._number_kind()
        return {_WORDS[bool]: pa.bool_(), _WORDS[str]: pa.string()}[word]

    def _number_kind(self) -> pa.DataType:
        if self.has_floats:
            return pa.float64()
        if self.least >= -(2**63) and self.most < 2**63:
            return pa.int64()
        if self.least == 0 and self.most < 2**64:  # the least is 0 where none is negative
            return pa.uint64()
        raise BenchError(
            f"{self.name} has whole numbers from {self.least} to {self.most}, more than 64 bits "
            "hold; write them as text"
        )


def _array(name: str, kind: pa.DataType, values: list[Any]) -> pa.Array:
    """Return the values as a column. Raises BadRow for one that the type does not hold."""
    try:
        return pa.array(values, kind)
    except (pa.ArrowException, OverflowError):
        for row, value in enumerate(values):
            try:
                pa.array([value], kind)
            except (pa.ArrowException, OverflowError) as error:
                raise BadRow(not_held(name, value, kind), row) from error
        raise


def _short(value: Any) -> str:
    text = json.dumps(value, ensure_ascii=False)
    return text if len(text) <= _SHOWN else f"{text[:_SHOWN]}..."

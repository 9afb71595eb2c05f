"""Many records in one file: `<results>/<study>/records.jsonl.xz`, a record a line, sorted by id.

A study of many thousand short runs is far smaller so, and one file instead of thousands. A packed
record counts as its own file would; a file that has the same id is the newer one, and wins.
"""

import io
import json
import lzma
from collections.abc import Iterable, Iterator
from pathlib import Path

from ue_bench.errors import BenchError
from ue_bench.record.record import Record, SpeedRecord, parse
from ue_bench.whole_file import cannot_write, read_regular, replacing

PACKED = "records.jsonl.xz"
# A few bytes of xz can stand for any number of bytes.
LONGEST_LINE = 2**26
MOST_BYTES = 2**32
MOST_PACKED = 2**28
MOST_FAULTS = 1_000  # lines that are no records; a few bytes can stand for billions of them


def read_packed(path: Path) -> Iterator[Record | SpeedRecord | BenchError]:
    """Yield each record of a file that `write_packed` made, or why a line, or the rest, is none."""
    try:
        with lzma.open(io.BytesIO(read_regular(path, MOST_PACKED))) as lines:
            total = number = faults = 0
            while line := lines.readline(LONGEST_LINE):
                number += 1
                total += len(line)
                if total > MOST_BYTES or not line.endswith(b"\n"):
                    yield BenchError(
                        f"{path}, line {number}: it is cut off, or too long; "
                        "it and what follows it are left out"
                    )
                    return
                try:
                    yield parse(line, f"{path}, line {number}")
                except BenchError as error:
                    yield error
                    faults += 1
                if faults == MOST_FAULTS:
                    yield BenchError(
                        f"{path}, line {number}: {faults:,} lines are no records; what follows is "
                        "left out"
                    )
                    return
    except (OSError, EOFError, lzma.LZMAError) as error:
        yield BenchError(f"{path}: not packed records ({error}); what follows is left out")


def write_packed(records: Iterable[Record | SpeedRecord], path: Path) -> None:
    """Write records into one file in one step.

    Raises BenchError where it cannot be written, and for more than `read_packed` would read.
    """
    total = 0
    try:
        with replacing(path) as file:
            with lzma.open(file, "wb") as packed:
                for record in sorted(records, key=lambda record: record.run_id):
                    content = json.loads(record.to_json())
                    line = json.dumps(content, separators=(",", ":")).encode() + b"\n"
                    total += len(line)
                    if total > MOST_BYTES or len(line) > LONGEST_LINE:
                        raise _too_much(path, f"{MOST_BYTES:,} bytes")
                    packed.write(line)
            if file.tell() > MOST_PACKED:  # known only once the last block is compressed
                raise _too_much(path, f"{MOST_PACKED:,} compressed bytes")
    except OSError as error:
        raise cannot_write(path, error) from error


def _too_much(path: Path, most: str) -> BenchError:
    return BenchError(
        f"{path}: its records are more than a packed file may hold ({most}); leave them in files "
        "of their own"
    )

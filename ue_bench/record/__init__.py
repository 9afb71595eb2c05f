"""The record of one run: its schema, its one JSON file, and the lock of the folder that holds it."""

from ue_bench.record.record import (
    ADVICE,
    PHASES,
    QUICK,
    SCHEMA,
    SPEED,
    Record,
    frame,
    load,
    parse,
    path_of,
    read,
    require_writable,
    write,
    write_whole,
)

__all__ = [
    "ADVICE",
    "PHASES",
    "QUICK",
    "SCHEMA",
    "SPEED",
    "Record",
    "frame",
    "load",
    "parse",
    "path_of",
    "read",
    "require_writable",
    "write",
    "write_whole",
]

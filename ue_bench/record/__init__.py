"""The record of a run: its content and schema, its file, and the lock of its folder."""

from ue_bench.record.record import (
    ADVICE,
    ANCHOR,
    PHASES,
    QUICK,
    SCHEMA,
    SPEED,
    Cause,
    Record,
    SpeedCase,
    SpeedRecord,
    failure,
    frame,
    parse,
    parse_run,
)
from ue_bench.record.store import (
    load,
    load_runs,
    path_of,
    read,
    require_writable,
    write,
)

__all__ = [
    "ADVICE",
    "ANCHOR",
    "PHASES",
    "QUICK",
    "SCHEMA",
    "SPEED",
    "Cause",
    "Record",
    "SpeedCase",
    "SpeedRecord",
    "failure",
    "frame",
    "load",
    "load_runs",
    "parse",
    "parse_run",
    "path_of",
    "read",
    "require_writable",
    "write",
]

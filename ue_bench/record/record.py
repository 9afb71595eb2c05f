"""The record of one run, and the text that its file holds.

A record is judged alone: `config` is what was asked for, `found` what the run met, `quality` and
`cost` what was measured, `env` where.
"""

import hashlib
import json
import re
import sys
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field, fields
from functools import lru_cache
from html import escape
from pathlib import Path
from typing import Any, Literal

import msgspec
import pandas as pd

from ue_bench.config import RunConfig
from ue_bench.config.ranges import from_json
from ue_bench.errors import BenchError
from ue_bench.record import schema

SCHEMA = 2
QUICK = (
    "-quick"  # the end of the name of a folder of a short form, of a study or of `ue-bench speed`
)
ADVICE = "advise-"  # the start of the name of the folder of one `ue-bench advise`
ANCHOR = "anchor"  # the `found.kind` of a run of an anchor, which has no embedding table
SPEED = "speed"  # study and phase of what `ue-bench speed` measures
PHASES = ("run", "grid", "search", "confirm", "latency", SPEED)  # why a study asked for the run

Status = Literal["ok", "infeasible", "failed"]
Cause = Literal["budget", "killed", "late", "memory", "input"]
STATUSES = ("ok", "infeasible", "failed")
CAUSES = ("budget", "killed", "late", "memory", "input")


@dataclass(frozen=True)
class SpeedCase:
    """One case of `ue-bench speed`, in full or in its quick form."""

    case: str
    quick: bool

    def by_name(self) -> dict[str, Any]:
        """Return every field."""
        return asdict(self)

    @property
    def run_id(self) -> str:
        """16 hex digits of the SHA-256 of the case, written as JSON."""
        text = json.dumps(self.by_name(), sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()[:16]


@dataclass(frozen=True, kw_only=True, slots=True)
class _Content:
    """The fields that every record has.

    status: `ok`; `infeasible`: the strategy cannot work with the budget, which is an answer; or
    `failed`. A record that is not `ok` has no measurement, and never a sentinel number.
    cause: what kind of failure it is; None for `ok`. error: the failure in one line for a reader.
    """

    run_id: str
    study: str
    phase: str
    status: Status = "ok"
    cause: Cause | None = None
    error: str | None = None
    config: Any
    found: dict[str, Any] = field(default_factory=dict)
    quality: dict[str, Any] = field(default_factory=dict)
    cost: dict[str, Any] = field(default_factory=dict)
    env: dict[str, Any] = field(default_factory=dict)
    schema: int = SCHEMA

    def to_json(self) -> str:
        """Return canonical text, with a SHA-256 of the content in `checksum`.

        Raises ValueError for NaN or infinity.
        """
        content = asdict(self)
        content["checksum"] = _checksum(content)
        return json.dumps(content, allow_nan=False, ensure_ascii=False, indent=1) + "\n"


@dataclass(frozen=True, kw_only=True, slots=True)
class Record(_Content):
    """One run."""

    config: RunConfig

    def __repr__(self) -> str:
        facts = [f"{name} {value}" for name, value in self._facts().items()]
        return f"<Record {self.run_id}: {', '.join(facts)}>"

    def _repr_html_(self) -> str:
        """Return a table, which notebooks show."""
        rows = []
        for name, value in {"run": self.run_id, **self._facts()}.items():
            rows.append(f"<tr><th>{name}</th><td>{escape(str(value))}</td></tr>")
        return f"<table>{''.join(rows)}</table>"

    def _facts(self) -> dict[str, Any]:
        """Return the few facts that tell a run from others, as far as it has them."""
        facts: dict[str, Any] = {
            "study": self.study,
            "phase": self.phase,
            "strategy": self.config.strategy,
            "budget": self.config.budget,
            "status": self.status,
            "val_mse": self.quality.get("val_mse"),
            "test_mse": self.quality.get("test_mse"),
            "total_bytes": self.cost.get("total_bytes"),
        }
        return {name: value for name, value in facts.items() if value is not None}

    @property
    def is_anchor(self) -> bool:
        """Whether it is of a predictor without an embedding table, which runs as an arm."""
        return bool(self.found.get("kind") == ANCHOR)

    @property
    def total_floor_bytes(self) -> int | None:
        """Bytes in all with a vocabulary that stores no keys; None where it was not counted.

        Records of earlier versions have the floor of the vocabulary and not this sum.
        """
        floor = self.cost.get("vocabulary_floor_bytes")
        if floor is None:
            return None
        return int(self.cost["table_bytes"] + self.cost["auxiliary_bytes"] + floor)


@dataclass(frozen=True, kw_only=True, slots=True)
class SpeedRecord(_Content):
    """One case of `ue-bench speed`, which holds no run: its lines are in `cost`."""

    config: SpeedCase
    phase: str = SPEED


_NAMES = frozenset(f.name for f in fields(_Content))


def failure(
    config: RunConfig,
    *,
    study: str,
    phase: str,
    cause: Cause,
    error: str,
    found: dict[str, Any] | None = None,
) -> Record:
    """Return the record of a run that did not end well. found: what it met before."""
    return Record(
        run_id=config.run_id,
        study=study,
        phase=phase,
        status="infeasible" if cause == "budget" else "failed",
        cause=cause,
        error=error,
        config=config,
        found=dict(found or {}),
    )


def _checksum(content: dict[str, Any]) -> str:
    text = json.dumps(content, sort_keys=True, separators=(",", ":"), allow_nan=False)
    if "\\ud" in text:  # beyond the first 65,536 characters, or half of one that no file can hold
        json.dumps(content, ensure_ascii=False).encode()
    return hashlib.sha256(text.encode()).hexdigest()


_decoder = msgspec.json.Decoder()
_encoder = msgspec.json.Encoder(order="sorted")
_SHORT_EXPONENT = re.compile(rb"(?<=\d)e-(\d)(?=[,\]}])")
_NO_EXPONENT = re.compile(rb"(?<=[:,\[-])0\.0000([1-9])(\d*)(?=[,\]}])")


def _proven(text: bytes) -> dict[str, Any] | None:
    """Return the content of a text if msgspec finds that its checksum is right, else None.

    It is three times as fast as Python's JSON, and writes most contents as `_checksum` does, small
    numbers after a change of their exponents. Where it does not, the checksum differs, and the
    usual way decides.
    """
    try:
        content = _decoder.decode(text)
        if not isinstance(content, dict):
            return None
        checksum = content.pop("checksum", None)
        written = _encoder.encode(content)
    except (msgspec.MsgspecError, ValueError, RecursionError):
        return None
    if checksum != hashlib.sha256(written).hexdigest():
        rewritten = _small_as_python(written)
        if checksum != hashlib.sha256(rewritten).hexdigest():
            return None
        # The change of exponents is also made within texts, and would hide an altered one.
        if _decoder.decode(rewritten) != content:
            return None
    for name, part in content.items():
        if isinstance(part, dict):
            content[name] = _interned(list(part.items()))
    return content


def _small_as_python(written: bytes) -> bytes:
    """Write what msgspec has as 1e-6 and 0.000012 as Python does: 1e-06 and 1.2e-05."""
    written = _SHORT_EXPONENT.sub(rb"e-0\1", written)
    return _NO_EXPONENT.sub(
        lambda match: match[1] + (b"." + match[2] if match[2] else b"") + b"e-05", written
    )


def parse(text: bytes, source: Path | str) -> Record | SpeedRecord:
    """Return the record of a text that `to_json` made, in this version or an earlier one.

    Raises BenchError, which names `source`, for text that is torn, altered, foreign or of a newer
    schema, and for a record whose id is not that of its configuration. The checksum is of what is
    read, not of how it is written: a change of the text that it lets pass (`1e-05` as `1E-05`)
    changes nothing of the record.
    """
    content = _proven(text)
    is_proven = content is not None
    try:
        if content is None:
            content = json.loads(text, object_pairs_hook=_interned)
    except (ValueError, RecursionError) as error:
        raise BenchError(f"{source}: not a record ({error})") from error
    if not isinstance(content, dict) or type(content.get("schema")) is not int:
        raise BenchError(f"{source}: not a record of ue_bench (no schema number)")
    if content["schema"] > SCHEMA:
        raise BenchError(
            f"{source}: schema {content['schema']} is newer than {SCHEMA}; upgrade ue_bench"
        )
    names = _NAMES - {"cause"} if content["schema"] == 1 else _NAMES
    differing = sorted((set(content) - {"checksum"}) ^ names)
    if differing:
        raise BenchError(f"{source}: not a record of ue_bench (fields {differing[:20]} differ)")
    if not is_proven:
        _require_checksum(content, source)
    try:
        if content["schema"] == 1:
            content = _from_schema_1(content)
        return _record_of(content)
    except BenchError as error:
        raise BenchError(f"{source}: not a record of ue_bench ({error})") from error


def parse_run(text: bytes, source: Path | str) -> Record:
    """Return the record of a run, as `parse` does. Raises BenchError for any other record too."""
    record = parse(text, source)
    if not isinstance(record, Record):
        raise BenchError(f"{source}: not the record of a run, but a measurement of speed")
    return record


def _require_checksum(content: dict[str, Any], source: Path | str) -> None:
    """Take the checksum out of the content. Raises BenchError where it is not that of the rest."""
    checksum = content.pop("checksum", None)
    try:
        actual = _checksum(content)
    except (ValueError, RecursionError) as error:  # NaN, half a character, lists without end
        raise BenchError(f"{source}: not a record of ue_bench ({error})") from error
    if checksum != actual:
        raise BenchError(f"{source}: the content does not match its checksum; run it again")


# How the message of a failure began in records of schema 1, which had no cause.
_CAUSES_OF_SCHEMA_1: dict[str, Cause] = {
    "BudgetError: ": "budget",
    "MemoryError": "memory",
    "the process was ended by": "killed",
    "it took longer than the time limit": "late",
    "BenchError: ": "input",
}


def _from_schema_1(content: dict[str, Any]) -> dict[str, Any]:
    """Return the content with the kind of failure that a message of schema 1 only told."""
    content = {**content, "schema": SCHEMA, "cause": None}
    message = content.get("error")
    if content.get("status") == "failed" and isinstance(message, str):
        content["cause"] = "input"
        for start, cause in _CAUSES_OF_SCHEMA_1.items():
            if message.startswith(start):
                content["cause"] = cause
        for name in ("BudgetError", "MemoryError", "BenchError"):
            content["error"] = content["error"].removeprefix(f"{name}: ")
        if content["cause"] == "budget":
            content["status"] = "infeasible"
    return content


def _record_of(content: dict[str, Any]) -> Record | SpeedRecord:
    """Return the record of a content that has all fields. Raises BenchError where it is not one."""
    fault = schema.fault(content, _shape_of(content))
    if fault is not None:
        raise BenchError(fault)
    for name in ("study", "run_id"):
        if not content[name].isprintable():
            raise BenchError(f"{name} {content[name]!r}: a name is visible characters")
    asked: SpeedCase | RunConfig
    if content["phase"] == SPEED:
        asked = SpeedCase(case=content["config"]["case"], quick=content["config"]["quick"])
    else:
        asked = RunConfig.from_stored(content["config"])
        trial = content["found"].get("trial", {})
        _require_search(trial)
        _share_parts(trial)
    if content["run_id"] != asked.run_id:
        raise BenchError(
            f"it has the id {content['run_id']!r}, but its configuration is that of "
            f"{asked.run_id!r}; run it again"
        )
    if isinstance(asked, SpeedCase):
        return SpeedRecord(**{**content, "config": asked})
    return Record(**{**content, "config": asked})


def _require_search(trial: Mapping[str, Any]) -> None:
    """Raise BenchError where a trial says of its search what no search can be."""
    if "seeds" not in trial:  # of an earlier version
        return
    for name in ("default", "startup", "batch", "space"):
        if name not in trial:
            raise BenchError(f"found.trial.{name} is missing")
    if not isinstance(trial["space"], dict):
        raise BenchError("found.trial.space: fields by name are expected")
    for allowed in trial["space"].values():
        from_json(allowed)


def _share_parts(trial: dict[str, Any]) -> None:
    """Put what all trials of a search say in memory once: its space may have many values."""
    for name, part in trial.items():
        if isinstance(part, str):
            trial[name] = sys.intern(part)
        elif isinstance(part, (dict, list)):
            trial[name] = _shared(json.dumps(part))


@lru_cache(maxsize=256)
def _shared(text: str) -> Any:
    return json.loads(text, object_pairs_hook=_interned)


def _shape_of(content: dict[str, Any]) -> Any:
    """Return the type that the content must have, by its phase, status and cause."""
    allowed = (("phase", PHASES), ("status", STATUSES), ("cause", (None, *CAUSES)))
    for name, values in allowed:
        if content[name] not in values:
            raise BenchError(f"{name} is {content[name]!r}; known are {values}")
    ended_well = content["status"] == "ok"
    if ended_well != (content["cause"] is None):
        raise BenchError(f"status {content['status']!r} with cause {content['cause']!r}")
    if content["phase"] == SPEED:
        return schema.Speed
    if not ended_well:
        return schema.NotDone
    return schema.Timed if content["quality"] == {} else schema.Trained


def _interned(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """Return a JSON object whose names and texts are in memory once for all records.

    They are half of a record.
    """
    content = {}
    for name, value in pairs:
        content[sys.intern(name)] = sys.intern(value) if isinstance(value, str) else value
    return content


def frame(records: Iterable[Record]) -> pd.DataFrame:
    """Return one row a record and one column a leaf, named with dots (`quality.test_mse`)."""
    return pd.json_normalize([asdict(record) for record in records])

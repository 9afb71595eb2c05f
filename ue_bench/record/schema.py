"""What stands where in a record: the kind of each value that is reckoned with or walked through once it is read.

A record whose text is whole may still hold a word where a number belongs, when another program or another version wrote it. It is
found here, when it is read, and not by whatever happens to use that value first. What nothing relies on may be anything.
"""

from collections.abc import Callable, Iterable
from typing import Any

LARGEST = 1e100  # of a measurement: its square must be a number too
WORD = 2**63  # of a count: a frame holds it in 64 bits

Place = tuple[
    Any, ...
]  # () or (place of what it lies in, name or number): written out where something is wrong alone
Shape = Callable[
    [Any, Place], str | None
]  # a value and its place in the record -> what is wrong with it, or None


def _told(place: Place) -> str:
    """`cost.latency[3].p50_us`."""
    outer, name = (_told(place[0]), place[1]) if place else ("", "")
    if isinstance(name, int):
        return f"{outer}[{name}]"
    return f"{outer}.{name}" if outer else str(name)


def _is(kind: str, right: Callable[[Any], bool]) -> Shape:
    def fault(value: Any, place: Place) -> str | None:
        return None if right(value) else f"{_told(place)} is {str(value)[:80]!r}; it must be {kind}"

    return fault


def _number(value: Any) -> bool:
    return type(value) in (float, int) and -LARGEST <= value <= LARGEST  # no truth value, no NaN


def _whole(value: Any) -> bool:
    return type(value) is int and 0 <= value < WORD


real = _is("a finite number", _number)
count = _is("a whole number from 0 up", _whole)
text = _is("text", lambda value: isinstance(value, str))
flag = _is("true or false", lambda value: isinstance(value, bool))
nothing = _is("empty", lambda value: value == {})
_fields = _is("fields by name", lambda value: isinstance(value, dict))
_list = _is("a list", lambda value: isinstance(value, list))


def maybe(shape: Shape) -> Shape:
    """The same, or null."""
    return lambda value, place: None if value is None else shape(value, place)


def either(one: Shape, other: Shape) -> Shape:
    """One of two; a value that is neither is told as the second."""
    return lambda value, place: one(value, place) and other(value, place)


def each(shape: Shape) -> Shape:
    """Fields of any names, each of that shape."""
    return lambda value, place: _fields(value, place) or _first(shape, value.items(), place)


def many(shape: Shape) -> Shape:
    """A list of those."""
    return lambda value, place: _list(value, place) or _first(shape, enumerate(value), place)


def fields(needed: dict[str, Shape], also: dict[str, Shape] | None = None) -> Shape:
    """Fields of these names and shapes, those of `also` only where they are there; others may be anything."""
    known = needed | (also or {})

    def fault(value: Any, place: Place) -> str | None:
        if wrong := _fields(value, place):
            return wrong
        for name in needed:
            if name not in value:
                return f"{_told((place, name))} is missing"
        for name, shape in known.items():
            if name in value and (wrong := shape(value[name], (place, name))):
                return wrong
        return None

    return fault


def _first(shape: Shape, parts: Iterable[tuple[Any, Any]], place: Place) -> str | None:
    for name, own in parts:
        if wrong := shape(own, (place, name)):
            return wrong
    return None


_PARTS = ("train", "val", "test")
_LOGISTIC = {
    f"{part}_{score}": maybe(real) for part in _PARTS for score in ("auc", "log_loss")
}  # of the binary task alone
_SCORES = fields({}, {f"{part}_mse": maybe(real) for part in _PARTS} | _LOGISTIC)
_COLLISIONS = fields(
    {
        "free": many(real),
        "formula": maybe(real),
        "free_any_weighted": real,
    },
    {"own_weighted": real},
)
_DIAGNOSED = fields(
    {
        "features": each(fields({"intra": _COLLISIONS, "inter": maybe(_COLLISIONS)})),
        "load": maybe(fields({"values": fields({"mean": real, "max": real})})),
    }
)
_TRIAL = fields(
    {
        "number": count,
        "sampler": text,
        "total": maybe(count),
        "varies": many(text),
        "objectives": many(text),
    }
)
_TIMING = fields(
    {"source": text, "batch": count, "p50_us": real, "p90_us": real, "p99_us": real, "n": count},
    {"unstable": flag},
)

# What every configuration has: it was there before the first record. A field added later is its default where it is missing.
CONFIG = fields(
    {
        **dict.fromkeys(("dataset", "features", "split", "strategy", "head", "measure"), text),
        "regions": maybe(text),
        "region_rule": maybe(text),
        **dict.fromkeys(("budget", "dim", "width"), maybe(count)),
        "lookups": either(count, each(count)),
        **dict.fromkeys(("hash_seed", "init_seed", "batch_seed", "split_seed"), count),
        "options": fields({}),
    },
    {
        "table": maybe(fields({"target": text})),
        "multi_valued": maybe(text),
        "task": text,
        "negative_at_most": maybe(real),
        "positive_at_least": maybe(real),
    },
)
_BYTES = {f"{name}_bytes": count for name in ("table", "auxiliary", "vocabulary", "total")}
_FOUND = {
    "cardinalities": each(count),
    "lookups": each(count),
    "dim": count,
    "exact_table_bytes": count,
}
_FOUND_TOO = {
    "n_rows": each(count),
    "n_seen": each(count),
    "width": count,
    "method": text,
    "diagnostics": _DIAGNOSED,
    "trial": _TRIAL,
    "entities": many(text),
}
_QUALITY = {
    "val_mse": real,
    "test_mse": maybe(real),
    "best_epoch": real,
    "anchors": each(_SCORES),
    "history": many(
        fields(
            {"epoch": real, "train_mse": real, "val_mse": real},
            {"train_log_loss": real, "val_log_loss": real},
        )
    ),
}
_QUALITY_TOO = {
    **_LOGISTIC,
    "train_mse": maybe(real),
    "slices": each(either(text, fields({}, {"n": count, "mse": maybe(real)}))),
    "diagnostics": fields({}, {"angles": maybe(many(fields({"epoch": real, "angle": real})))}),
}
_COST_TOO = {
    **{f"{name}_bytes": count for name in ("vocabulary_floor", "head", "optimizer")},
    "peak_training_bytes": maybe(count),
    "train_seconds": real,
    "latency": many(_TIMING),
}
ENV = fields(
    {}, {"versions": each(text), "time": text, "git_sha": maybe(text), "git_dirty": maybe(flag)}
)
RAN = {  # of a run that went well; one that measures latency alone has no quality
    "found": fields(_FOUND, _FOUND_TOO),
    "quality": either(nothing, fields(_QUALITY, _QUALITY_TOO)),
    "cost": fields(_BYTES, _COST_TOO),
    "env": ENV,
}
FAILED = {"found": fields({}), "quality": fields({}), "cost": fields({}), "env": ENV}

_CLAIM = fields({"ratio": real, "of": text, "must": text, "reached": maybe(flag)})
_LINE = fields(
    {
        "what": text,
        "value": maybe(real),
        "unit": text,
        "beside": each(real),
        "claims": many(_CLAIM),
        "note": text,
    }
)
MEASURED = {  # a record of `ue-bench speed` holds no run
    "config": fields({"case": text, "quick": flag}),
    "found": fields({"title": text}),
    "quality": nothing,
    "cost": fields({"lines": many(_LINE)}),
    "env": ENV,
}

"""The options of a run on the command line, made from the fields of RunConfig."""

import json
import re
from collections.abc import Callable, Iterable
from types import UnionType
from typing import Any, get_args, get_type_hints

import click

from ue_bench.cli.names import Name
from ue_bench.config import SEEDS, SETTINGS, RunConfig
from ue_bench.config.lookups import parse_lookups
from ue_bench.config.number_bits import parse_bits
from ue_bench.config.units import parse_bytes
from ue_bench.errors import BenchError

_WHOLE = re.compile(r"-?\d{1,18}", re.ASCII)  # what `int` takes without a surprise
_READ: dict[str, Callable[[str], Any]] = {
    "bytes": parse_bytes,
    "lookups": parse_lookups,
    "bits": parse_bits,
}


class Count(click.ParamType):
    """A whole number, or a word that means null."""

    def __init__(self, word: str) -> None:
        self.word = word
        self.name = "integer"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        if value == self.word or isinstance(value, int):
            return value
        if not _WHOLE.fullmatch(value):
            self.fail(f"{value!r} is neither a whole number nor {self.word!r}.", param, ctx)
        return int(value)


def config_options(command: Any) -> Any:
    """Add an option for each field of a run that has a help text."""
    names = [name for name, known in SETTINGS.items() if known.help is not None]
    return some_options(*names)(command)


def some_options(*names: str) -> Callable[[Any], Any]:
    """Return a decorator that adds options for these fields of a run."""

    def decorate(command: Any) -> Any:
        for name in reversed(names):
            command = _option(name)(command)
        return command

    return decorate


def _option(name: str) -> Callable[[Any], Any]:
    """Return the option of one field; its value is None where it is not given."""
    known = SETTINGS[name]
    flag = f"--{name.replace('_', '-')}"
    kind = _click_type(name)
    if kind is bool:
        return click.option(flag, name, is_flag=True, default=None, help=known.help)
    metavar = f"INTEGER|{known.null}" if known.null else None
    text = known.help or ""
    default = getattr(RunConfig(), name)
    if default is not None and known.group != "seeds":
        text += f"  [default: {default}]"
    return click.option(flag, name, type=kind, default=None, metavar=metavar, help=text)


def _click_type(name: str) -> Any:
    """Return the type of the option of a field."""
    known = SETTINGS[name]
    if known.null is not None:
        return Count(known.null)
    if known.choices:
        return Name(values=known.choices)
    if known.names is not None:
        return Name(known.names)
    if known.unit is not None:
        return str
    kind = get_type_hints(RunConfig)[name]
    if isinstance(kind, UnionType):
        kind = next(option for option in get_args(kind) if option is not type(None))
    return kind


def make_config(seed: int, knobs: tuple[str, ...], given: dict[str, Any]) -> RunConfig:
    """Return the run that the options ask for. Raises BenchError.

    seed: of all four seeds that are not given. knobs: of the method, as NAME=VALUE. given: the
    values of options by field; None where an option is not given.
    """
    fields: dict[str, Any] = dict.fromkeys(SEEDS, seed)
    for name, value in given.items():
        if value is not None:
            fields[name] = _read(name, value)
    if "width" in fields:
        fields.setdefault("dim", None)
    fields["options"] = parse_knobs(knobs)
    return RunConfig.from_dict(fields)


def _read(name: str, value: Any) -> Any:
    """Return the value of a field from that of its option. An unknown field stays as it is."""
    known = SETTINGS.get(name)
    if known is None:
        return value
    if known.null is not None and value == known.null:
        return None
    if known.unit is not None and isinstance(value, str):
        return _READ[known.unit](value)
    return value


def parse_knobs(texts: Iterable[str]) -> dict[str, Any]:
    """Return knobs by name from NAME=VALUE.

    A value is a number, truth value or list as in JSON, or else a word. Raises BenchError.
    """
    knobs: dict[str, Any] = {}
    for text in texts:
        name, equals, value = text.partition("=")
        if not equals or not name or name in knobs:
            raise BenchError(f"option: {text!r} was given; write NAME=VALUE, and each name once")
        knobs[name] = _knob_value(text, value)
    return knobs


def _knob_value(text: str, value: str) -> Any:
    try:
        knob = json.loads(value)
    except RecursionError as error:
        raise BenchError(f"option: {text[:40]!r}... was given; it is nested too deep") from error
    except ValueError:
        return value
    try:
        json.dumps(knob, allow_nan=False)
    except (ValueError, RecursionError) as error:
        raise BenchError(
            f"option: {text!r} was given; a record holds finite numbers only"
        ) from error
    return knob

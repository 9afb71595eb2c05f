"""The options of a run's configuration on the command line, and the configuration that they ask for."""

import json
import re
from collections.abc import Callable, Iterable
from typing import Any

import click

from ue_bench.cli.units import parse_bytes
from ue_bench.config import CHOICES, SEEDS, RunConfig
from ue_bench.errors import BenchError

WORDS = {"batch_size": "full", "patience": "none"}  # how the null of these fields is written
_WHOLE = re.compile(r"-?\d{1,18}", re.ASCII)  # what `int` takes without a surprise


class Count(click.ParamType):
    """A whole number, or a word that stands for null."""

    def __init__(self, word: str) -> None:
        self.word, self.name = word, "integer"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        if value == self.word or isinstance(value, int):
            return value
        if not _WHOLE.fullmatch(value):
            self.fail(f"{value!r} is neither a whole number nor {self.word!r}.", param, ctx)
        return int(value)


OPTIONS: tuple[tuple[str, Any, str], ...] = (
    (
        "dataset",
        str,
        "Data set (see: ue-bench list datasets), or the path of a table or of its TOML file.",
    ),
    (
        "features",
        str,
        "base, wide, or names separated by commas; a*b crosses two. Of a table without a TOML file: its columns.",
    ),
    (
        "multi_valued",
        str,
        "Features whose text is several values with | between: genres. Their vectors are averaged.",
    ),
    ("split", str, f"How rows are divided: {', '.join(CHOICES['split'])}."),
    (
        "task",
        str,
        "regression: squared error on the ratings; or binary: logistic loss on labels 0 and 1.",
    ),
    (
        "negative_at_most",
        float,
        "Of the binary task: ratings up to this are 0. Alone: all others are 1.",
    ),
    (
        "positive_at_least",
        float,
        "Of the binary task: ratings from this on are 1. Alone: all others are 0. With both: what lies "
        "between is dropped.",
    ),
    ("strategy", str, "Embedding strategy; see: ue-bench list strategies."),
    ("budget", str, "Bytes of table and auxiliary together: 28032, 28kB, 1.5MiB."),
    ("dim", int, "Numbers per lookup."),
    ("width", int, "Numbers of all lookups together, instead of --dim: more lookups are narrower."),
    (
        "lookups",
        str,
        "Lookups of every feature (2), or by feature (user_id=2,movie_id=2; the others have 1).",
    ),
    ("regions", str, "multiplexed or separate, where the strategy leaves a choice."),
    ("region_rule", str, f"How separate regions are sized: {', '.join(CHOICES['region_rule'])}."),
    ("low_cardinality", str, "Features of few values: hashed like the others, or exact."),
    ("low_cardinality_max", int, "How many distinct values are few."),
    (
        "head",
        str,
        "mlp (hidden layer), dcn (one cross layer before it), dot (products of pairs of features) or linear.",
    ),
    ("hidden", int, "Units of the hidden layer."),
    ("dropout", float, "Share of hidden units dropped in training."),
    ("init", str, "Initial numbers of the table: uniform or normal."),
    ("init_scale", float, "Half-width of the uniform, or standard deviation of the normal."),
    (
        "rating_bias",
        str,
        "The last bias starts at the training mean (of labels: at its logit), or at torch's default.",
    ),
    (
        "optimizer",
        str,
        f"{', '.join(CHOICES['optimizer'])}; sparse_adam leaves the momentum of rows outside the batch alone.",
    ),
    (
        "optimizer_path",
        str,
        "Gradients of the table: dense, sparse (the rows of the batch), or auto: sparse for large tables.",
    ),
    ("lr", float, "Learning rate."),
    ("weight_decay", float, "Weight decay."),
    ("batch_size", Count(WORDS["batch_size"]), "Rows a step, or full."),
    ("epochs", int, "Most passes over the training rows."),
    (
        "patience",
        Count(WORDS["patience"]),
        "Epochs without a better validation loss before stopping, or none: never stop early.",
    ),
    ("evals_per_epoch", int, "Evaluations on the validation rows in each epoch."),
    ("device", str, "cpu or cuda."),
    ("threads", int, "Threads of torch, in training and in timing."),
    ("measure", str, f"What to measure: {', '.join(CHOICES['measure'])}."),
    (
        "diagnose",
        bool,
        "Also record collisions, load of the rows and angles between the features' read-out weights.",
    ),
    *(
        (name, int, f"One of the four seeds, instead of --seed: {name.replace('_', ' ')}.")
        for name in SEEDS
    ),
)


def config_options(command: Any) -> Any:
    """One option for each field of a run's configuration."""
    return some_options(*(name for name, _, _ in OPTIONS))(command)


def some_options(*names: str) -> Callable[[Any], Any]:
    """Options for these fields of a run's configuration."""
    return lambda command: _add_options(command, names)


def _add_options(command: Any, names: tuple[str, ...]) -> Any:
    defaults = RunConfig().to_dict()
    for name, kind, text in reversed([option for option in OPTIONS if option[0] in names]):
        default = defaults[name]
        if kind is bool:
            command = click.option(f"--{name}", name, is_flag=True, default=None, help=text)(
                command
            )
            continue
        shown = f"  [default: {default}]" if default is not None and name not in SEEDS else ""
        flag, metavar = (
            f"--{name.replace('_', '-')}",
            f"INTEGER|{kind.word}" if isinstance(kind, Count) else None,
        )
        command = click.option(
            flag, name, type=kind, default=None, metavar=metavar, help=text + shown
        )(command)
    return command


def make_config(seed: int, options: tuple[str, ...], asked: dict[str, Any]) -> RunConfig:
    """The configuration that the options ask for. Raises BenchError."""
    given = {name: value for name, value in asked.items() if value is not None}
    if "budget" in given:
        given["budget"] = parse_bytes(given["budget"])
    if "lookups" in given:
        given["lookups"] = parse_lookups(given["lookups"])
    if "width" in given:
        given.setdefault("dim", None)
    given |= {name: None for name, word in WORDS.items() if given.get(name) == word}
    given["options"] = parse_options(options)
    return RunConfig.from_dict({**dict.fromkeys(SEEDS, seed), **given})


def parse_lookups(text: str) -> int | dict[str, int]:
    """`2`, or `user_id=2,movie_id=2`. Raises BenchError."""
    if _WHOLE.fullmatch(text.strip()):
        return int(text)
    counts: dict[str, int] = {}
    for part in text.split(","):
        name, equals, count = (word.strip() for word in part.rpartition("="))
        if not equals or not _WHOLE.fullmatch(count) or name in counts:
            raise BenchError(
                f"lookups: {text!r} was given; write a number, or each feature once: user_id=2,movie_id=2"
            )
        counts[name] = int(count)
    return counts


def parse_options(texts: Iterable[str]) -> dict[str, Any]:
    """Knobs by name: each value a number, truth value or list as in JSON, or else a word. Raises BenchError."""
    options: dict[str, Any] = {}
    for text in texts:
        name, equals, value = text.partition("=")
        if not equals or not name or name in options:
            raise BenchError(f"option: {text!r} was given; write NAME=VALUE, and each name once")
        try:
            options[name] = json.loads(value)
        except RecursionError as error:
            raise BenchError(
                f"option: {text[:40]!r}... was given; it is nested too deep"
            ) from error
        except ValueError:
            options[name] = value
            continue
        try:
            json.dumps(options[name], allow_nan=False)
        except (ValueError, RecursionError) as error:
            raise BenchError(
                f"option: {text!r} was given; a record holds finite numbers only"
            ) from error
    return options

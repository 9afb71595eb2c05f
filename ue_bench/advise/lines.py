"""The Python that builds the layer that was measured: its rows, bytes and initial values."""

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from ue_bench.advise.candidates import SHARED
from ue_bench.advise.question import Question
from ue_bench.config import SETTINGS, RunConfig
from ue_bench.features import ColumnReader, Feature
from ue_bench.strategies import Spec
from ue_bench.strategies.registry import added_strategies
from ue_bench.training.assembly import make_spec

WIDTH = 80  # of the lines, as far as names and paths allow
# The fields of a run that decide the layer: the groups, and single ones of the other groups.
GROUPS = ("data", "strategy")
FIELDS = (
    "min_count",
    "value_dropout",
    "hash_seed",
    "init",
    "init_scale",
    "init_seed",
    "split_seed",
)


def python(
    question: Question, config: RunConfig, features: tuple[Feature, ...], reader: ColumnReader
) -> str:
    """Return lines that run as they are and define ``layer``, and for the shared table ``vectors``.

    ``layer`` has the index map, the bytes and the initial values of the measured run. The shared
    table needs no data where no feature is multi-valued; the other layers read the values of the
    features from the data.

    config: the run on whose seeds the layer is built.
    features: those of any split, because only their names matter.
    reader: turns raw rows into what the layer takes.
    """
    one_value = all(feature.bags is None for feature in features)
    all_hashed = config.low_cardinality == "hashed"
    is_float = config.bits == "float32"
    if config.strategy == SHARED and one_value and all_hashed and is_float:
        return _shared_lines(config, make_spec(config, features), reader)
    return _lines(question, config)


def _shared_lines(config: RunConfig, spec: Spec, reader: ColumnReader) -> str:
    rows = spec.require_budget() // spec.row_bytes
    seeds = {}
    for number, feature in enumerate(spec.features):
        seeds[feature.name] = tuple(spec.seeds(number))
    arguments = {
        "num_embeddings": rows,
        "embedding_dim": spec.dim,
        "init": config.init,
        "init_scale": config.init_scale,
    }
    imports = ["import torch", "from ue_bench import UnifiedEmbedding"]
    rules, given_rules = _rules(reader)
    if rules:
        imports.append("from ue_bench.categories import Rule")
    imports.append("from ue_bench.features import ColumnReader")
    all_imports = "\n".join(imports)
    return f"""\
{all_imports}

torch.manual_seed({config.init_seed})  # the initial values that were measured
layer = {_call("UnifiedEmbedding", arguments)}
seeds = {_literal(seeds, 0, opened=True)}
{rules}reader = ColumnReader(tuple(seeds){given_rules})

def vectors(batch):
    # batch: raw rows: a frame, columns by name, or a list of rows
    columns = zip(reader.read(batch), seeds.values())
    return torch.cat([layer(values, own) for values, own in columns], dim=1)
"""


def _rules(reader: ColumnReader) -> tuple[str, str]:
    """Return the lines that define the rules of the columns, and how the reader is given them."""
    if not reader.rules:
        return "", ""
    lines = ""
    texts = {rule.absent for rule in reader.rules.values()}
    common = texts.pop() if len(texts) == 1 else ()
    if common:
        lines += f"absent = {_literal(common, 0)}\n"
    lines += "rules = {\n"
    for name, rule in reader.rules.items():
        arguments = repr(rule.kind)
        if common:
            arguments += ", absent"
        elif rule.absent:
            arguments += f", {_literal(rule.absent, 4)}"
        lines += f"    {name!r}: Rule({arguments}),\n"
    return f"{lines}}}\n", ", rules"


def _lines(question: Question, config: RunConfig) -> str:
    arguments = {}
    for name, value in config.without_defaults().items():
        if name in FIELDS or SETTINGS[name].group in GROUPS:
            arguments[name] = value
    path = ""
    folder = ""
    plugins = ""
    is_found = config.table is not None and question.data_dir == Path(".")
    if question.data_dir is not None and not is_found:
        path = "from pathlib import Path\n\n"
        folder = f", Path({str(question.data_dir)!r})"
    if question.plugins and config.strategy in added_strategies():
        path = "from pathlib import Path\n\n"
        plugins = "from ue_bench.strategies import load_plugin\n\n"
        for file in question.plugins:
            plugins += f"load_plugin(Path({str(file)!r}))\n"
    note = ""
    if config.table is not None:
        note = "# For other rows, leave the checksum out: the layer then follows from them.\n"
    return f"""\
{path}from ue_bench import RunConfig, embedding_of
{plugins}
{note}config = {_call("RunConfig", arguments)}
layer = embedding_of(config{folder})
# layer.from_values(batch): vectors of raw rows: a frame, columns by name, or a
# list of rows
# layer.finish_training(): once, after training; it becomes what is served
"""


def _call(name: str, arguments: Mapping[str, Any]) -> str:
    """Return a call with named arguments, one a line."""
    lines = f"{name}(\n"
    for argument, value in arguments.items():
        lines += f"    {argument}={_literal(value, 4)},\n"
    return f"{lines})"


def _literal(value: Any, indent: int, *, opened: bool = False) -> str:
    """Return a value as Python writes it, in lines of at most `WIDTH` where it can be broken.

    indent: of the line on which it begins.
    opened: whether each item has a line of its own, however short they are.
    """
    text = repr(value)
    if not opened and indent + len(text) <= WIDTH // 2:
        return text
    start = " " * (indent + 4)
    end = " " * indent
    if isinstance(value, dict):
        items = [f"{key!r}: {_literal(item, indent + 4)}" for key, item in value.items()]
        return _bracketed("{", (f"{item}," for item in items), "}", start, end)
    if isinstance(value, (list, tuple)):
        opening, closing = "[]" if isinstance(value, list) else "()"
        items = [f"{_literal(item, indent + 4)}," for item in value]
        return _bracketed(opening, items, closing, start, end)
    if isinstance(value, str):
        return _bracketed("(", map(repr, _pieces(value, WIDTH // 2)), ")", start, end)
    return text


def _bracketed(opening: str, lines: Iterable[str], closing: str, start: str, end: str) -> str:
    return "\n".join([opening, *(f"{start}{line}" for line in lines), f"{end}{closing}"])


def _pieces(text: str, length: int) -> Sequence[str]:
    return [text[place : place + length] for place in range(0, len(text), length)]

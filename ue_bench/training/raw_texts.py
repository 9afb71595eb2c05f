"""The texts of the raw values of a frame, which a run, a layer or a saved model hashes."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import polars as pl

from ue_bench.categories import Rule, rules_by_name
from ue_bench.config.separators import separators_of
from ue_bench.config.toml_file import read_toml
from ue_bench.data import Definition
from ue_bench.data.table.frame_texts import read_texts, rules_of
from ue_bench.errors import BenchError
from ue_bench.features import ColumnReader, needed
from ue_bench.strategies import EmbeddingStrategy
from ue_bench.training.predictor import Predictor

Definitions = Definition | Mapping[str, Rule | str] | Predictor | EmbeddingStrategy | str | Path


def texts(frame: Any, definition: Definitions) -> pl.DataFrame:
    """Return the texts of a frame's columns: String, or List of String for several values a row.

    frame: rows as `ColumnReader.read` takes them. Other columns are left out.
    definition: which columns, and by which rules.

        A mapping from column to `Rule`, or to the name of its kind (`text`, `date`, `whole`,
        `number`).
        A saved model or a layer, whose raw columns are read as it reads them.
        A `Definition` of a table, or the path of its TOML file. The rules are then those that a run
        finds for the frame, which has to be the whole table, with its target.

    Raises BenchError for a missing column, a value without a text, and a file that cannot be read.
    """
    return read_texts(frame, _reader_of(frame, definition))


def _reader_of(frame: Any, definition: Definitions) -> ColumnReader:
    if isinstance(definition, Predictor):
        return _reader_of(frame, definition.model.strategy)
    if isinstance(definition, EmbeddingStrategy):
        reader = definition.reader
        return ColumnReader(tuple(needed(reader.features)), reader.rules, reader.separators)
    if isinstance(definition, Mapping):
        return ColumnReader(tuple(definition), rules_by_name(definition))
    if isinstance(definition, Definition):
        return ColumnReader(definition.features, rules_of(frame, definition))
    if isinstance(definition, (str, Path)):
        return _reader_of_file(frame, Path(definition))
    raise BenchError(
        f"texts: a definition is one {type(definition).__name__}; give a mapping from column to "
        "rule, a saved model, a layer, a Definition, or the path of a TOML file"
    )


def _reader_of_file(frame: Any, path: Path) -> ColumnReader:
    content = read_toml(path)
    names = ("target", "features", "numeric")
    table: dict[str, Any] = {name: content[name] for name in names if name in content}
    # the frame is in the place of the files
    definition = Definition.from_dict({"files": path.name, **table})
    separators = {}
    if "multi_valued" in content:
        separators = separators_of(content["multi_valued"])
    return ColumnReader(definition.features, rules_of(frame, definition), separators)

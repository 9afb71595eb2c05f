"""The Python that builds the layer that was measured: the same rows and the same bytes."""

import json
from collections.abc import Sequence
from typing import Any

from ue_bench.advise.candidates import SHARED
from ue_bench.advise.question import Question
from ue_bench.config import RunConfig
from ue_bench.features import Feature
from ue_bench.strategies import Spec
from ue_bench.strategies.registry import added_strategies
from ue_bench.training.assembly import make_spec

MOST_LETTERS = 40  # of the seeds of a feature that are written in one line
# The fields of a run that decide the layer.
FIELDS = (
    "dataset",
    "table",
    "features",
    "multi_valued",
    "split",
    "task",
    "negative_at_most",
    "positive_at_least",
    "strategy",
    "regions",
    "region_rule",
    "budget",
    "dim",
    "lookups",
    "options",
    "hash_seed",
    "split_seed",
    "init",
    "init_scale",
    "init_seed",
)


def python(question: Question, config: RunConfig, features: tuple[Feature, ...]) -> str:
    """Return lines that run as they are and define ``layer``, and for the shared table ``vectors``.

    The shared table needs nothing but `UnifiedEmbedding` where no feature is multi-valued. The
    other layers read the values from the data.

    config: the run on whose seeds the layer is built.
    features: those of any split, because only their names matter.
    """
    note = ""
    if config.table:
        note = "# of a table, values are texts by the rules of docs/data.md\n"
    one_value = all(feature.bags is None for feature in features)
    if config.strategy == SHARED and one_value:
        return note + _shared_lines(make_spec(config, features))
    return note + _lines(question, config)


def _shared_lines(spec: Spec) -> str:
    seeds = []
    note = ""
    for number, feature in enumerate(spec.features):
        seeds.append(f"    {json.dumps(feature.name)}: {_tuple(spec.seeds(number))},")
        if "*" in feature.name:
            note = '    # of a cross a*b the values of both, joined by "\\x1f"\n'
    rows = spec.require_budget() // spec.row_bytes
    all_seeds = "\n".join(seeds)
    return f"""\
import torch
from ue_bench import UnifiedEmbedding

layer = UnifiedEmbedding(num_embeddings={rows}, embedding_dim={spec.dim})
seeds = {{
{all_seeds}
}}

def vectors(batch):
    # batch: for each feature, by name, the values of the rows
{note}    return torch.cat([layer(batch[f], own) for f, own in seeds.items()], dim=1)
"""


def _tuple(seeds: Sequence[int]) -> str:
    """Return the seeds of a feature, each on a line of its own where one line would be long."""
    text = str(tuple(seeds))
    if len(text) <= MOST_LETTERS:
        return text
    lines = "".join(f"        {seed},\n" for seed in seeds)
    return f"(\n{lines}    )"


def _lines(question: Question, config: RunConfig) -> str:
    arguments = []
    for name, value in config.without_defaults().items():
        if name == "table":
            # The same lines build the layer of tomorrow's rows, whose checksum is another one.
            value = {key: item for key, item in value.items() if key != "checksum"}
        if name in FIELDS:
            arguments.append(f"    {name}={_value(value)},")
    path = ""
    folder = ""
    plugins = ""
    if question.data_dir:
        path = "from pathlib import Path\n\n"
        folder = f", Path({str(question.data_dir)!r})"
    if question.plugins and config.strategy in added_strategies():
        path = "from pathlib import Path\n\n"
        plugins = "from ue_bench.strategies import load_plugin\n\n"
        for file in question.plugins:
            plugins += f"load_plugin(Path({str(file)!r}))\n"
    all_arguments = "\n".join(arguments)
    return f"""\
{path}from ue_bench import RunConfig, embedding_of
{plugins}
config = RunConfig(
{all_arguments}
)
layer = embedding_of(config{folder})
# layer.from_values({{feature: values}}): vectors of raw values
# layer.end_training(): once, after training; it becomes what is served
"""


def _value(value: Any) -> str:
    if not isinstance(value, dict):
        return repr(value)
    lines = "".join(f"        {key!r}: {item!r},\n" for key, item in value.items())
    return f"{{\n{lines}    }}"

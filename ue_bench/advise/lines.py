"""The Python that builds the layer that was measured: same rows, same bytes."""

import json
from typing import Any

from ue_bench.advise.candidates import SHARED
from ue_bench.advise.question import Question
from ue_bench.config import RunConfig
from ue_bench.features import Feature
from ue_bench.strategies import Spec
from ue_bench.training.assembly import make_spec


def python(question: Question, config: RunConfig, features: tuple[Feature, ...]) -> str:
    """Lines that run as they are and define ``layer``, and for the shared table ``vectors``.

    config: the run on whose seeds the layer is built. features: of any split, for their names alone count. The shared table needs
    nothing but `UnifiedEmbedding` where no feature is multi-valued; otherwise the values are read from the data.
    """
    plain = config.strategy == SHARED and all(feature.bags is None for feature in features)
    note = "# of a table, values are texts by the rules of docs/data.md\n" if config.table else ""
    return note + (_shared(make_spec(config, features)) if plain else _any(question, config))


def _shared(spec: Spec) -> str:
    seeds = {
        feature.name: tuple(spec.seeds(number)) for number, feature in enumerate(spec.features)
    }
    crossed = any("*" in name for name in seeds)
    note = '    # of a cross a*b the values of both, joined by "\\x1f"\n' if crossed else ""
    shown = "\n".join(f"    {json.dumps(name)}: {_tuple(own)}," for name, own in seeds.items())
    return f"""\
import torch
from ue_bench import UnifiedEmbedding

layer = UnifiedEmbedding(num_embeddings={spec.require_budget() // spec.row_bytes}, embedding_dim={spec.dim})
seeds = {{
{shown}
}}

def vectors(batch):
    # batch: for each feature, by name, the values of the rows
{note}    return torch.cat([layer(batch[f], own) for f, own in seeds.items()], dim=1)
"""


def _tuple(seeds: tuple[int, ...]) -> str:
    """In one line where it fits, else a seed a line."""
    one = f"({', '.join(map(str, seeds))}{',' * (len(seeds) == 1)})"
    return (
        one if len(one) <= 40 else "(\n" + "".join(f"        {seed},\n" for seed in seeds) + "    )"
    )


def _any(question: Question, config: RunConfig) -> str:
    asked = {name: value for name, value in config.without_defaults().items() if name in _BUILDS}
    if config.table:  # the layer of tomorrow's rows, too
        asked["table"] = {name: value for name, value in config.table.items() if name != "checksum"}
    given = "\n".join(f"    {name}={_value(value)}," for name, value in asked.items())
    folder = f", Path({str(question.data_dir)!r})" if question.data_dir else ""
    path = "from pathlib import Path\n\n" if question.data_dir else ""
    return f"""\
{path}from ue_bench import RunConfig, embedding_of

config = RunConfig(
{given}
)
layer = embedding_of(config{folder})
# layer.from_values({{feature: values}}): vectors of raw values
# layer.end_training(): once, after training; it becomes what is served
"""


_BUILDS = (
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


def _value(value: Any) -> str:
    if isinstance(value, dict):
        return (
            "{\n" + "".join(f"        {key!r}: {own!r},\n" for key, own in value.items()) + "    }"
        )
    return repr(value)

"""The run of an anchor: fitted, judged and timed like a strategy, and not trained."""

import time
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import torch

from ue_bench import data
from ue_bench.config import RunConfig
from ue_bench.errors import BenchError
from ue_bench.record import ANCHOR
from ue_bench.strategies import rank_of
from ue_bench.training.anchors import anchors
from ue_bench.training.assembly import make_spec
from ue_bench.training.judge import judge
from ue_bench.training.measured import Measured
from ue_bench.training.model import sizes_of
from ue_bench.training.peak_memory import PeakMemory
from ue_bench.training.run_data import entities_fault, rows_of
from ue_bench.training.split_parts import PARTS
from ue_bench.training.timing import lookup_latency
from ue_bench.training.train import Fit, outputs_by_part
from ue_bench.training.user_item_model import UserItemModel


def measure_anchor(
    config: RunConfig,
    dataset: data.Dataset,
    encoded: data.Encoded,
    device: torch.device,
    grouped: Sequence[str],
) -> Measured:
    """Fit and measure the anchor of a configuration. grouped: as in `judge`.

    Raises BenchError for a budget, and where one feature plays both user and item.
    """
    fault = entities_fault(dataset)
    if fault:
        raise BenchError(f"{config.strategy}: {fault}, or leave this anchor out")
    rank = rank_of(config.strategy, config.options)
    model = UserItemModel(encoded.entities, rank, config.task == "binary").to(device)
    cost = sizes_of(model.footprint(), head_bytes=0, training_bytes=model.footprint().table)
    _require_no_budget(config, cost["table_bytes"])
    by_entity = _with_entities_alone(encoded)
    rows = {name: rows_of(by_entity, part, device) for name, part in PARTS.items()}
    quality: dict[str, Any] = {}
    if config.measure != "latency":
        with PeakMemory(device) as memory:
            seconds = _fit(config, dataset, encoded, model)
        baselines = anchors(
            encoded,
            binary=config.task == "binary",
            stars=_is_stars(config, dataset),
            threads=config.threads,
        )
        quality = judge(
            model, rows, outputs_by_part(model, rows), baselines, encoded, Fit(), grouped
        )
        if not rank:
            quality["beats_bias"] = None  # it is the bias model
        cost |= {
            "optimizer_bytes": 0,
            "peak_training_bytes": memory.n_bytes,
            "peak_training_source": memory.source,
            "train_seconds": round(seconds, 4),
            "steps": 0,
        }
    if config.measure != "quality":
        cost["latency"] = lookup_latency(model, model.features, rows["val"].codes)
    cost["slot_cache_bytes"] = 0  # a code is the number of its row
    return Measured(found=_found(config, encoded, rank), quality=quality, cost=cost)


def _require_no_budget(config: RunConfig, used: int) -> None:
    if config.budget is not None:
        raise BenchError(
            f"{config.strategy}: a budget of {config.budget:,} bytes was given; an anchor keeps "
            f"none: it takes {used:,} bytes at every budget; leave the budget out"
        )


def _with_entities_alone(encoded: data.Encoded) -> data.Encoded:
    """Return the same rows with user and item as their only features."""
    codes = np.stack([encoded.user, encoded.item], axis=1)
    return replace(encoded, features=encoded.entities, codes=codes)


def _fit(
    config: RunConfig, dataset: data.Dataset, encoded: data.Encoded, model: UserItemModel
) -> float:
    """Fit the model and return the seconds that it took."""
    started = time.perf_counter()
    model.fit(encoded, stars=_is_stars(config, dataset), threads=config.threads)
    return time.perf_counter() - started


def _is_stars(config: RunConfig, dataset: data.Dataset) -> bool:
    return dataset.stars and config.task != "binary"


def _found(config: RunConfig, encoded: data.Encoded, rank: int) -> dict[str, Any]:
    """Return what only the record of an anchor says of what it met.

    exact_table_bytes: of the features of the configuration, with one lookup of 16 numbers each.
    """
    return {
        "kind": ANCHOR,
        "method": "bias model" if not rank else "matrix factorisation",
        "rank": rank,
        "lookups": {feature.name: 1 for feature in encoded.entities},
        "dim": 1 + rank,
        "width": 2 * (1 + rank),
        "exact_table_bytes": make_spec(config, encoded.features).exact_table_bytes,
    }

"""`run_once`: the only place where data, strategy, model, training, measurement and record meet.

An anchor takes the same way; `anchor_run` fits it in the place of training.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch

from ue_bench import data
from ue_bench.config import RunConfig
from ue_bench.config.drawn_worlds import is_draw
from ue_bench.config.stream_split import STREAM
from ue_bench.data.splitting import block_ends
from ue_bench.errors import BenchError, BudgetError
from ue_bench.record import Record
from ue_bench.strategies import EmbeddingStrategy, Spec, is_anchor, method_of
from ue_bench.strategies.allocator import keep_freed_memory
from ue_bench.strategies.anchor_entries import require_strategy
from ue_bench.strategies.memory_errors import memory_errors
from ue_bench.training import collisions, readout_angles, timing
from ue_bench.training.anchor_run import measure_anchor
from ue_bench.training.anchors import anchors, best_scores
from ue_bench.training.assembly import make_model, make_recipe
from ue_bench.training.baselines import trivial_anchors
from ue_bench.training.devices import gpu_name, require_device
from ue_bench.training.environment import environment
from ue_bench.training.judge import ANCHORS, judge
from ue_bench.training.loss import Scale
from ue_bench.training.measured import Measured
from ue_bench.training.model import RatingModel, sizes
from ue_bench.training.peak_memory import PeakMemory
from ue_bench.training.process_ranks import ALONE, Ranks
from ue_bench.training.progressive_anchors import progressive_anchors
from ue_bench.training.resolve import resolve
from ue_bench.training.round_trip import require_round_trip
from ue_bench.training.row_groups import scored_part
from ue_bench.training.run_data import encoded_of, reader_of, rows_of, spec_of, warnings_of
from ue_bench.training.split_parts import PARTS
from ue_bench.training.stream import BlockEnd, fit_stream
from ue_bench.training.stream_curves import RecentValues, bytes_now, curves
from ue_bench.training.train import Fit, Rows, fit, outputs_by_part

REDRAWN = "random"  # the split that each seed draws anew
NOT_TESTED = "search"  # the phase whose scores choose configurations and are never tested


@contextmanager
def _noting_data(dataset: data.Dataset) -> Iterator[None]:
    """Note in a BudgetError which data it is about: it is an answer for these data alone."""
    try:
        yield
    except BudgetError as error:
        error.found = _data_of(dataset)
        raise


@memory_errors()
def run_once(
    config: RunConfig,
    *,
    data_dir: Path | None = None,
    study: str = "run",
    phase: str = "run",
    on_evaluation: Callable[[Fit], None] = lambda fit: None,
    on_trained: Callable[[RatingModel, data.Dataset], None] = lambda model, dataset: None,
    ranks: Ranks = ALONE,
) -> Record:
    """Train and measure one configuration, and return its record. Nothing is written.

    on_evaluation: is called after every evaluation of training.
    on_trained: is called once all is measured, with the model as it is served, in evaluation mode,
        and the data set. It is not called where nothing is trained.
    ranks: the processes that train together, of which this is the first; the others call `assist`.

    Raises BenchError for a bad configuration or bad data, and for a strategy of a plug-in or a
    package that cannot be built again from what is kept of it. Raises MemoryError when the memory
    of the CPU or the GPU is exhausted. The number of torch's threads stays that of the
    configuration; the state of torch's global generator does not change.
    """
    config, device, dataset, encoded = _begin(config, data_dir, ranks)
    common = _found(dataset, encoded, device)
    if ranks.count > 1:
        common["processes"] = ranks.count
    common["warnings"] = warnings_of(dataset, config)
    if is_anchor(config.strategy):
        _require_static(config)
        grouped = _grouped(config, encoded, phase)
        measured = measure_anchor(config, dataset, encoded, device, grouped)
        return _record(config, study, phase, common, measured)
    is_stream = config.split == STREAM
    rows = {name: rows_of(encoded, part, device) for name, part in PARTS.items()}
    spec = spec_of(config, encoded)
    quality: dict[str, Any] = {}
    with _own_draws(device):
        with _noting_data(dataset):
            model = _initial_model(config, spec, encoded, device, ranks)
        model.strategy.reader = reader_of(config, dataset)
        cost = sizes(model)
        optimizer_path = "sparse" if model.strategy.sparse_pools() else "dense"
        if config.measure == "latency":
            if is_stream:  # what is served is what has arrived
                _to_the_end(config, model, encoded)
            else:
                model.strategy.finish_training()
        else:
            grouped = _grouped(config, encoded, phase)
            if is_stream:
                quality, training_cost = _train_on_stream(
                    config, model, rows, encoded, on_evaluation, grouped
                )
            else:
                quality, training_cost = _train(
                    config, model, rows, dataset, encoded, on_evaluation, grouped, ranks
                )
            cost |= training_cost
        if config.measure != "quality":
            asked = rows["test" if is_stream else "val"]  # of a stream, the latest rows
            cost["latency"] = timing.lookup_latency(model.strategy, spec.features, asked.codes)
            fresh_model = _initial_model(config, spec, encoded, device)
            cost["step_ms"] = timing.step_time(fresh_model, rows["train"], make_recipe(config))
    cost["slot_cache_bytes"] = model.strategy.slot_cache_bytes()
    found = _found_by_strategy(spec, model)
    found["optimizer_path"] = optimizer_path
    if config.diagnose:
        found["diagnostics"] = collisions.index_map(model.strategy)
    if config.measure != "latency":
        model.eval()
        if config.code is not None:
            # Of a strategy that was added. The tests of this package hold its own ones to it, and
            # it takes 5 ms of the 380 of the shortest run on ML-100K, and as many bytes as the
            # model: with millions of values a part of the memory that a run has.
            require_round_trip(model, config)
        on_trained(model, dataset)
    return _record(config, study, phase, common, Measured(found, quality, cost))


@memory_errors()
def assist(config: RunConfig, ranks: Ranks, data_dir: Path | None = None) -> None:
    """Train with the process that runs `run_once`, as one of the others of `ranks`.

    Errors are those of `run_once`.
    """
    config, device, _, encoded = _begin(config, data_dir, ranks)
    rows = {name: rows_of(encoded, PARTS[name], device) for name in ("train", "val")}
    with _own_draws(device):
        model = _initial_model(config, spec_of(config, encoded), encoded, device, ranks)
        fit(model, rows["train"], rows["val"], make_recipe(config), ranks=ranks)
    ranks.end()


def _begin(
    config: RunConfig, data_dir: Path | None, ranks: Ranks
) -> tuple[RunConfig, torch.device, data.Dataset, data.Encoded]:
    """Resolve a configuration, and get its device and its data."""
    config = resolve(config)
    device = require_device(config.device)
    if ranks.count > 1:
        _require_shareable(config)
    torch.set_num_threads(config.threads)
    keep_freed_memory()
    dataset, encoded = ranks.in_turn(lambda: encoded_of(config, data_dir))
    return config, device, dataset, encoded


@contextmanager
def _own_draws(device: torch.device) -> Iterator[None]:
    """Leave the state of torch's global generators as it is."""
    cuda_devices = [device] if device.type == "cuda" else []
    with torch.random.fork_rng(devices=cuda_devices):
        yield


def _initial_model(
    config: RunConfig,
    spec: Spec,
    encoded: data.Encoded,
    device: torch.device,
    ranks: Ranks = ALONE,
) -> RatingModel:
    """Return the model of a run as training starts it.

    Raises BenchError for one that several processes cannot train together.
    """
    mean, scale = _mean_and_scale(encoded)
    model = make_model(config, spec, mean, scale).to(device)
    if ranks.count > 1 and model.strategy.learns_from_batches:
        raise BenchError(
            f"strategy {config.strategy!r} with {ranks.count} processes: it learns from the values "
            "of each batch, of which a process sees a part; train it in one process"
        )
    return model


def _require_shareable(config: RunConfig) -> None:
    """Raise BenchError for a run that several processes cannot share."""
    if is_anchor(config.strategy):
        what = f"strategy {config.strategy!r}"
        why = "an anchor is fitted at once"
    elif config.split == STREAM:
        what = f"split {STREAM!r}"
        why = "a stream is read in the order of time"
    elif config.measure == "latency":
        what = "measure 'latency'"
        why = "nothing is trained"
    else:
        return
    raise BenchError(f"{what} with several processes: {why}; run it in one process")


def _require_static(config: RunConfig) -> None:
    """Raise BenchError for an anchor on a stream."""
    if config.split == STREAM:
        raise BenchError(
            f"strategy {config.strategy!r} with split {STREAM!r}: an anchor is fitted to the rows "
            "of a split; leave it out (the record of a stream has the bias model, fitted to the "
            "rows before each block)"
        )


def _record(
    config: RunConfig, study: str, phase: str, common: dict[str, Any], measured: Measured
) -> Record:
    """Return the record of what was measured. common: what all runs on the data find."""
    return Record(
        run_id=config.run_id,
        study=study,
        phase=phase,
        config=config,
        found=common | measured.found,
        quality=measured.quality,
        cost=measured.cost,
        env=environment(gpu_name(torch.device(config.device))),
    )


def embedding_of(config: RunConfig, data_dir: Path | None = None) -> EmbeddingStrategy:
    """Return the layer of a run as it is before training, for any torch model.

    It has the rows, the bytes and the initial values of the run, whose data set gives the values of
    the features, and the rules by which ``layer.from_values({"user_id": [...], ...})``, float32
    [B, W], reads raw values. A table without a checksum is taken as it is now.

    Raises BenchError for a bad configuration or bad data, for an anchor, which has no layer, and
    for a table of another checksum.
    """
    require_strategy(config.strategy)
    if config.table is not None and config.table.get("checksum") is None:
        definition = data.Definition.from_dict(config.table)
        config = replace(config, table=data.define(definition, data_dir))
    config = resolve(config)
    dataset, encoded = encoded_of(config, data_dir)
    with torch.random.fork_rng(devices=[]):
        spec = spec_of(config, encoded)
        strategy = make_model(config, spec, mean_rating=0.5).strategy
    strategy.reader = reader_of(config, dataset)
    return strategy


def _mean_and_scale(encoded: data.Encoded) -> tuple[float, Scale]:
    """Return the mean of the training targets in 32 bits, where raw training starts, and their
    scale."""
    targets = encoded.ratings[encoded.parts == PARTS["train"]]
    with np.errstate(over="ignore"):  # an infinite mean ends in the error of a loss that diverges
        mean = float(targets.mean())
    return mean, Scale.of(targets)


def _train(
    config: RunConfig,
    model: RatingModel,
    rows: dict[str, Rows],
    dataset: data.Dataset,
    encoded: data.Encoded,
    on_evaluation: Callable[[Fit], None],
    grouped: Sequence[str],
    ranks: Ranks,
) -> tuple[dict[str, Any], dict[str, Any]]:
    """Train the model in place. Returns the quality of a record, and what training cost.

    grouped: as in `judge`. ranks: the processes that train together; the others end here.
    """
    with PeakMemory(rows["train"].ratings.device) as memory:
        angles = None
        if config.diagnose:
            on_evaluation, angles = readout_angles.watch(model, on_evaluation)
        recipe = make_recipe(config)
        fitted = fit(model, rows["train"], rows["val"], recipe, on_evaluation, ranks)
    ranks.end()
    binary = config.task == "binary"
    stars = dataset.stars and not binary
    if is_draw(config):
        baselines = trivial_anchors(encoded, binary, stars)
    else:
        baselines = anchors(encoded, binary=binary, stars=stars, threads=config.threads)
    found = outputs_by_part(model, rows)
    quality = judge(model, rows, found, baselines, encoded, fitted, grouped)
    if angles is not None:
        quality["diagnostics"] = angles
    return quality, _cost(fitted, memory)


def _train_on_stream(
    config: RunConfig,
    model: RatingModel,
    rows: dict[str, Rows],
    encoded: data.Encoded,
    on_evaluation: Callable[[Fit], None],
    grouped: Sequence[str],
) -> tuple[dict[str, Any], dict[str, Any]]:
    """As `_train`, on a stream. What is judged is what was predicted before it was trained on."""
    device = rows["train"].ratings.device
    order, in_order, ends = _in_order(config, encoded, device)
    held: list[dict[str, Any]] = []
    recent = RecentValues(encoded.codes[order], ends, encoded.features)

    def note(end: BlockEnd) -> None:
        sharing = recent.sharing(model.strategy, end.number)
        held.append(bytes_now(model.strategy, end) | sharing)

    with PeakMemory(device) as memory:
        fitted, given = fit_stream(
            model, in_order, ends, encoded.features, make_recipe(config), note, on_evaluation
        )
    binary = config.task == "binary"
    baselines = progressive_anchors(encoded, ends, binary)
    if encoded.best is not None:
        baselines["best"] = best_scores(encoded, binary)
    in_file_order = torch.empty_like(given)
    in_file_order[torch.from_numpy(order).to(device)] = given
    scored = {name: part for name, part in rows.items() if name != "train"}
    outputs_of = {}
    for name in scored:
        in_part = torch.from_numpy(encoded.parts == PARTS[name]).to(device)
        outputs_of[name] = in_file_order[in_part]
    quality = judge(model, scored, outputs_of, baselines, encoded, fitted, grouped)
    for of_training in ("rarity", "slices"):  # a stream has no rows that were all seen before
        quality.pop(of_training, None)
    quality["stream"] = curves(model, in_order, given, encoded, ends, held)
    return quality, _cost(fitted, memory)


def _to_the_end(config: RunConfig, model: RatingModel, encoded: data.Encoded) -> None:
    """Train on the stream and judge nothing."""
    device = torch.device(config.device)
    _, in_order, ends = _in_order(config, encoded, device)
    fit_stream(model, in_order, ends, encoded.features, make_recipe(config))


def _in_order(
    config: RunConfig, encoded: data.Encoded, device: torch.device
) -> tuple[np.ndarray, Rows, list[int]]:
    """Return the order of time, the rows in it, and where each block ends."""
    order = encoded.order
    if order is None:
        raise ValueError("the rows of a stream have an order")
    in_order = Rows(
        codes=torch.from_numpy(encoded.codes[order]).to(device),
        ratings=torch.from_numpy(encoded.ratings[order]).to(device),
    )
    return order, in_order, block_ends(len(order), config.blocks)


def _cost(fitted: Fit, memory: PeakMemory) -> dict[str, Any]:
    """Return what training cost, as a record has it."""
    return {
        "optimizer_bytes": fitted.optimizer_bytes,
        "peak_training_bytes": memory.n_bytes,
        "peak_training_source": memory.source,
        "train_seconds": round(fitted.seconds, 4),
        "steps": fitted.steps,
    }


def _grouped(config: RunConfig, encoded: data.Encoded, phase: str) -> tuple[str, ...]:
    """Return what a record keeps errors by group of: what tests of its scores need.

    Where each seed draws its own rows, tests need none of the anchors and of validation. A draw of
    a world is no sample of users that anything is said of.
    """
    scored = scored_part(encoded)
    if phase == NOT_TESTED or is_draw(config):
        return ()
    if config.split != REDRAWN:
        return scored, "val", ANCHORS
    if config.tested_on is not None:
        return scored, ANCHORS
    return (scored,)


def _data_of(dataset: data.Dataset) -> dict[str, Any]:
    """Return what tells the data of a run from other data of the same name."""
    found = {"source": dataset.source, "checksum": dataset.checksum}
    if dataset.rows_checksum is not None:
        found["rows_checksum"] = dataset.rows_checksum
    return found


def _found(dataset: data.Dataset, encoded: data.Encoded, device: torch.device) -> dict[str, Any]:
    """Return what every run on these data meets, in the `found` of its record."""
    features = encoded.features
    on_cpu = device.type == "cpu"
    found = {
        **_data_of(dataset),
        "n_rows": {name: int((encoded.parts == number).sum()) for name, number in PARTS.items()},
        "cardinalities": {feature.name: feature.cardinality for feature in features},
        "n_seen": {feature.name: feature.n_seen for feature in features},
        "threads": torch.get_num_threads(),
        "deterministic": torch.are_deterministic_algorithms_enabled() or on_cpu,
        **dataset.facts,
    }
    if not on_cpu:  # products with 10 bits of mantissa give other results
        found["tf32"] = torch.backends.cuda.matmul.allow_tf32
    return found


def _found_by_strategy(spec: Spec, model: RatingModel) -> dict[str, Any]:
    """Return what depends on the strategy."""
    names = [feature.name for feature in spec.features]
    return {
        "kind": "strategy",
        "method": method_of(spec.name),
        "lookups": dict(zip(names, spec.lookups, strict=True)),
        "dim": spec.dim,
        "bits": model.strategy.spec.numbers.name,
        "width": sum(model.strategy.widths),
        "exact_table_bytes": spec.exact_table_bytes,
    }

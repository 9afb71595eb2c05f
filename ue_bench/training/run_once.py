"""`run_once`: the only place where data, strategy, model, training, measurement and record meet."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch

from ue_bench import data
from ue_bench.config import CHOICES, RunConfig
from ue_bench.errors import BenchError, unknown
from ue_bench.features import Feature
from ue_bench.record import Record
from ue_bench.strategies import EmbeddingStrategy, Spec, build, entry_of, method_of, regions_of
from ue_bench.strategies.allocator import keep_freed_memory
from ue_bench.training import baselines, diagnose, measure
from ue_bench.training.environment import environment
from ue_bench.training.loss import LOSSES
from ue_bench.training.model import RatingModel
from ue_bench.training.train import SPARSE, Fit, Recipe, Rows, fit, outputs

PARTS = {"train": 0, "val": 1, "test": 2}
# Numbers of a pool from which adam takes the sparse path. A step of 256 rows and 7 lookups of 16 numbers takes half as long on
# the dense path at 160,000 of them, 1.3 times as long at 1.6 million and 9 times as long at 16 million (`ue-bench speed step`).
# The exact table of `wide` on ML-100K has 1.1 million and stays on the dense path, as its published records do.
DENSE_UP_TO = 1_500_000


def resolve(config: RunConfig) -> RunConfig:
    """The same run with what the strategy decides filled in: one run has one id. Raises BenchError for unknown names."""
    table = None if config.table is None else data.Definition.from_dict(config.table)
    if table is None and config.dataset not in data.DATASETS:
        raise unknown("data set", config.dataset, data.DATASETS)
    if table is not None and table.checksum is None:
        raise BenchError(
            f"{config.dataset}: the table has no checksum, which the run's id must follow; make it with data.define"
        )
    regions = regions_of(config.strategy, config.regions)
    rule = (config.region_rule or CHOICES["region_rule"][0]) if regions == "separate" else None
    lookups = config.lookups
    if isinstance(lookups, dict):
        lookups = {name: count for name, count in sorted(lookups.items()) if count != 1} or 1
    asked = None if table is None else table.to_dict()
    bags = config.multi_valued and ",".join(
        sorted(name.strip() for name in config.multi_valued.split(","))
    )
    return replace(
        config, regions=regions, region_rule=rule, lookups=lookups, table=asked, multi_valued=bags
    )


def run_once(
    config: RunConfig,
    *,
    data_dir: Path | None = None,
    study: str = "run",
    phase: str = "run",
    on_evaluation: Callable[[Fit], None] = lambda fit: None,
    on_trained: Callable[[RatingModel, data.Dataset], None] = lambda model, dataset: None,
) -> Record:
    """Train and measure one configuration. Writes nothing.

    on_trained: is given the model as it is served, in evaluation mode, and the data set, once all is measured; not called where
    nothing is trained.

    Raises BenchError for a bad configuration or bad data, and MemoryError, of the CPU or the GPU. Leaves torch's thread count as
    the configuration asks; the state of torch's global generator is put back.
    """
    try:
        return _run(resolve(config), data_dir, study, phase, on_evaluation, on_trained)
    except RuntimeError as error:
        _tell_memory(error)
        raise


def _run(
    config: RunConfig,
    data_dir: Path | None,
    study: str,
    phase: str,
    on_evaluation: Callable[[Fit], None],
    on_trained: Callable[[RatingModel, data.Dataset], None],
) -> Record:
    device = _device(config.device)
    torch.set_num_threads(config.threads)
    keep_freed_memory()
    dataset, encoded = encoded_of(config, data_dir)
    rows = {name: _rows(encoded, encoded.parts == part, device) for name, part in PARTS.items()}
    spec = make_spec(config, encoded.features)
    recipe = make_recipe(config)
    mean = float(encoded.ratings[encoded.parts == PARTS["train"]].mean())
    quality: dict[str, Any] = {}
    with torch.random.fork_rng(devices=[device] if device.type == "cuda" else []):
        model = make_model(config, spec, mean).to(device)
        cost, path = sizes(model), "sparse" if model.strategy.sparse_pools() else "dense"
        if config.measure == "latency":
            model.strategy.end_training()
        else:
            with measure.PeakMemory(device) as memory:
                watch, angles = (
                    diagnose.watch(model, on_evaluation)
                    if config.diagnose
                    else (on_evaluation, None)
                )
                done = fit(model, rows["train"], rows["val"], recipe, watch)
            binary = config.task == "binary"
            anchors = baselines.anchors(encoded, binary, stars=dataset.stars and not binary)
            quality = judge(model, rows, anchors, encoded, done)
            if angles is not None:
                quality["diagnostics"] = angles
            cost |= {
                "optimizer_bytes": done.optimizer_bytes,
                "peak_training_bytes": memory.n_bytes,
                "peak_training_source": memory.source,
                "train_seconds": round(done.seconds, 4),
                "steps": done.steps,
            }
        if config.measure != "quality":
            cost["latency"] = measure.lookup_latency(model.strategy, rows["val"].codes)
            cost["step_ms"] = measure.step_time(
                make_model(config, spec, mean).to(device), rows["train"], recipe
            )
    found = {
        "source": dataset.source,
        "checksum": dataset.checksum,
        "method": method_of(config.strategy),
        "n_rows": {name: len(part) for name, part in rows.items()},
        "cardinalities": {f.name: f.cardinality for f in encoded.features},
        "n_seen": {f.name: f.n_seen for f in encoded.features},
        "lookups": {f.name: n for f, n in zip(encoded.features, spec.lookups, strict=True)},
        "dim": spec.dim,
        "width": sum(model.strategy.widths),
        "exact_table_bytes": spec.exact_table_bytes,
        "threads": torch.get_num_threads(),
        "optimizer_path": path,
        "deterministic": torch.are_deterministic_algorithms_enabled() or device.type == "cpu",
        **dataset.facts,
    }
    if device.type == "cuda":  # products in 10 bits of mantissa are other results
        found["tf32"] = torch.backends.cuda.matmul.allow_tf32
    if config.diagnose:
        found["diagnostics"] = diagnose.index_map(model.strategy)
    if config.measure != "latency":
        on_trained(model.eval(), dataset)
    return Record(
        run_id=config.run_id,
        study=study,
        phase=phase,
        config=config,
        found=found,
        quality=quality,
        cost=cost,
        env=environment(_gpu(device)),
    )


def _tell_memory(error: RuntimeError) -> None:
    """Raise MemoryError for a failed allocation: torch tells one on the CPU as a RuntimeError like any other."""
    if isinstance(error, torch.OutOfMemoryError) or "DefaultCPUAllocator" in str(error):
        raise MemoryError(str(error).splitlines()[0]) from error


def has_budget(config: RunConfig) -> bool:
    """Whether the strategy's size follows from the budget; the exact table's does not."""
    return entry_of(config.strategy).has_budget


def encoded_of(
    config: RunConfig, data_dir: Path | None = None
) -> tuple[data.Dataset, data.Encoded]:
    """The data set of a configuration, and its rows as numbers. Raises BenchError for what is not there, or bad."""
    dataset = data.load(config.dataset, data_dir, config.table)
    names = dataset.feature_names(config.features)
    target, parts = dataset.target, data.split(dataset, config.split, config.split_seed)
    if config.task == "binary":
        target, parts = data.label(target, parts, config.negative_at_most, config.positive_at_least)
    return dataset, data.encode(
        dataset, names, parts, target, data.multi_valued(dataset, names, config.multi_valued)
    )


def embedding_of(config: RunConfig, data_dir: Path | None = None) -> EmbeddingStrategy:
    """The layer of a run before its training: its rows, its bytes and its initial values, for any torch model.

    ``layer.from_values({"user_id": [...], ...})`` is float32 [B, W]. The features' values are read from the data set. Raises
    BenchError for a bad configuration or bad data.
    """
    config = resolve(config)
    _, encoded = encoded_of(config, data_dir)
    with torch.random.fork_rng(devices=[]):
        return make_model(config, make_spec(config, encoded.features), 0.5).strategy


def exact_table_bytes(config: RunConfig, data_dir: Path | None = None) -> int:
    """Bytes of the exact table over all distinct values of the features that `config` names, at its width."""
    dataset = data.load(config.dataset, data_dir, config.table)
    names = dataset.feature_names(config.features)
    separators = data.multi_valued(dataset, names, config.multi_valued)
    features = tuple(
        data.with_bags(Feature(name, dataset.coded(name).values.to_list(), 0), separators)
        for name in names
    )
    return make_spec(config, features).exact_table_bytes


def cardinalities(config: RunConfig, data_dir: Path | None = None) -> dict[str, int]:
    """How many distinct values each feature has that `config` names."""
    dataset = data.load(config.dataset, data_dir, config.table)
    return {
        name: len(dataset.coded(name).values) for name in dataset.feature_names(config.features)
    }


def split_fault(config: RunConfig, data_dir: Path | None = None) -> str | None:
    """Why the data set cannot be divided as `config` asks, or None: it can."""
    dataset = data.load(config.dataset, data_dir, config.table)
    try:
        data.split(dataset, config.split, config.split_seed)
    except BenchError as error:
        return str(error)
    return None


def make_model(config: RunConfig, spec: Spec, mean_rating: float) -> RatingModel:
    """The model of a configuration, its initial values drawn from the init seed: table first, then head."""
    torch.manual_seed(config.init_seed)
    exact_at_most = config.low_cardinality_max if config.low_cardinality == "exact" else 0
    bias = mean_rating if config.rating_bias == "mean" else None
    return RatingModel(
        build(spec, exact_at_most),
        config.head,
        config.hidden,
        config.dropout,
        bias,
        LOSSES[config.task],
    )


def make_recipe(config: RunConfig) -> Recipe:
    """How a configuration trains."""
    return Recipe(
        config.optimizer,
        config.lr,
        config.weight_decay,
        config.batch_size,
        config.epochs,
        config.patience,
        config.evals_per_epoch,
        config.batch_seed,
    )


def make_spec(config: RunConfig, features: tuple[Feature, ...]) -> Spec:
    """What the strategy is built from. Raises BenchError for lookups or seeds of an absent feature, or too small a width."""
    names = [feature.name for feature in features]
    by_name = (
        config.lookups if isinstance(config.lookups, dict) else dict.fromkeys(names, config.lookups)
    )
    for kind, given in (
        ("lookups for feature", by_name),
        ("hash seeds for feature", config.hash_seeds or {}),
    ):
        for name in given:
            if name not in names:
                raise unknown(kind, name, names)
    lookups = tuple(by_name.get(name, 1) for name in names)
    dim = config.dim if config.dim is not None else (config.width or 0) // sum(lookups)
    if dim < 1:
        raise BenchError(
            f"width: {config.width} was given for {sum(lookups)} lookups; raise it to at least {sum(lookups)}"
        )
    return Spec(
        config.strategy,
        features,
        lookups,
        dim,
        config.budget,
        config.regions or "",
        config.region_rule,
        config.hash_seed,
        config.hash_seeds or {},
        config.init,
        config.init_scale,
        *sparse_path(config),
        config.options,
    )


def sparse_path(config: RunConfig) -> tuple[bool, int]:
    """Whether gradients of the pools are sparse, and up to how many numbers of a pool they are dense all the same."""
    if config.optimizer_path == "auto" and config.optimizer == "adam" and not config.weight_decay:
        return True, DENSE_UP_TO
    if config.optimizer_path == "auto":
        return config.optimizer in SPARSE, 0
    return config.optimizer_path == "sparse", 0


def sizes(model: RatingModel) -> dict[str, Any]:
    """Bytes of everything that serving holds, and of what the strategy holds in training."""
    footprint = model.strategy.footprint()
    return {
        "table_bytes": footprint.table,
        "auxiliary_bytes": footprint.auxiliary,
        "vocabulary_bytes": footprint.vocabulary,
        "vocabulary_floor_bytes": footprint.vocabulary_floor,
        "total_bytes": footprint.total,
        "head_bytes": model.head_bytes(),
        "training_table_bytes": model.strategy.training_bytes(),
    }


def judge(
    model: RatingModel,
    rows: dict[str, Rows],
    anchors: dict[str, dict[str, float | None]],
    encoded: data.Encoded,
    done: Fit,
) -> dict[str, Any]:
    """Errors of the trained model, pooled over rows, beside those of the trivial predictors on the same rows.

    beats_bias: by MSE, for every task. It is a proper score of probabilities too, needs no clipping of what the bias model says
    beyond 0 and 1, and is what all marks and comparisons of the report rest on.
    """
    said = {name: outputs(model, part) for name, part in rows.items()}
    errors = {
        n: (model.loss.predict(said[n]) - part.ratings).double().cpu().numpy()
        for n, part in rows.items()
    }
    more = {n: model.loss.judge(said[n], part.ratings) for n, part in rows.items()}
    judged = "test" if len(errors["test"]) else "val"  # the article's split has no test rows
    part = encoded.parts == PARTS[judged]
    slices = {}
    for kind, seen in (("user", encoded.user_seen[part]), ("item", encoded.item_seen[part])):
        for name, chosen in ((f"warm_{kind}", seen), (f"cold_{kind}", ~seen)):
            slices[name] = {"n": int(chosen.sum()), "mse": _mse(errors[judged][chosen])}
    reached, bias = _mse(errors[judged]), anchors["bias"][f"{judged}_mse"]
    return {
        **{f"{name}_mse": _mse(error) for name, error in errors.items()},
        **{
            f"{name}_{score}": value
            for name, scores in more.items()
            for score, value in scores.items()
        },
        "test_mae": float(np.abs(errors["test"]).mean()) if len(errors["test"]) else None,
        "best_epoch": done.best_epoch,
        "epochs_run": done.epochs_run,
        "history": done.history,
        "slices": {"of": judged, **slices},
        "anchors": anchors,
        "beats_bias": None if reached is None or bias is None else reached < bias,
    }


def _mse(errors: np.ndarray) -> float | None:
    return float(np.square(errors).sum() / len(errors)) if len(errors) else None


def _rows(encoded: data.Encoded, mask: np.ndarray, device: torch.device) -> Rows:
    codes = np.empty(
        (int(mask.sum()), len(encoded.features)), np.int32
    )  # rows whole in memory: a batch gathers rows
    for column in range(len(encoded.features)):
        codes[:, column] = encoded.codes[mask, column]
    return Rows(
        torch.from_numpy(codes).to(device), torch.from_numpy(encoded.ratings[mask]).to(device)
    )


def _gpu(device: torch.device) -> str | None:
    return torch.cuda.get_device_name(device) if device.type == "cuda" else None


def _device(name: str) -> torch.device:
    try:
        device = torch.device(name)
    except RuntimeError as error:
        raise BenchError(f"device: {name!r} was given; choose cpu or cuda") from error
    if device.type not in ("cpu", "cuda"):
        raise BenchError(f"device: {name!r} was given; choose cpu or cuda")
    if device.type == "cuda" and not torch.cuda.is_available():
        raise BenchError(
            "device: 'cuda' was given and this machine has no usable CUDA device; choose cpu"
        )
    if device.type == "cuda" and (device.index or 0) >= torch.cuda.device_count():
        raise BenchError(
            f"device: {name!r} was given and this machine has {torch.cuda.device_count()} CUDA devices, from cuda:0 on"
        )
    return device

"""A trained model is saved in a folder, and loaded from it.

`load` builds the strategy again from the configuration and the features, as training did, and fills
in the numbers. Hashed rows need no values for that; a strategy that needs a vocabulary finds it in
the folder.
"""

import os
import platform
import warnings
from collections.abc import Mapping, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any

import torch

from ue_bench.categories import Rule
from ue_bench.config import RunConfig
from ue_bench.errors import BenchError, one_line
from ue_bench.features import ColumnReader, Feature, needed
from ue_bench.strategies import code_of
from ue_bench.strategies.pool import make_room
from ue_bench.training import feature_values, model_folder
from ue_bench.training.assembly import make_recipe, make_spec, without_ignored_budget
from ue_bench.training.claimed_sizes import require_claimed, shapes
from ue_bench.training.continued import ContinuedTraining
from ue_bench.training.environment import LIBRARIES
from ue_bench.training.loss import Scale, StandardisedError
from ue_bench.training.model import RatingModel
from ue_bench.training.predictor import Predictor
from ue_bench.training.resolve import resolve
from ue_bench.training.round_trip import require_equal_vectors, unfilled_model
from ue_bench.version import __version__


def save(
    folder: Path,
    model: RatingModel,
    config: RunConfig,
    training: dict[str, torch.Tensor] | None = None,
) -> None:
    """Write a trained model, as it is served, into a folder.

    The folder then has the whole new model, or what it had before: both files are written and read
    back in a temporary folder before they replace those of an older model.

    model: takes the raw values that the reader of its strategy takes.
    config: the configuration that the model was trained with.
    training: the state of the optimizer, of a model that was trained on after it was loaded.

    Raises BenchError for a folder that cannot be written or holds something else, and for a
    strategy that cannot be built from what is saved of it.
    """
    model_folder.require_free(folder)
    config = resolve(config)
    strategy = model.strategy
    features = [strategy.to_serve(index) for index in range(len(strategy.spec.features))]
    tensors = {name: tensor.detach().contiguous() for name, tensor in model.state_dict().items()}
    for index, feature in enumerate(features):
        tensors |= feature_values.to_tensors(index, feature)
    about = {
        "run_id": config.run_id,
        "config": config.to_dict(),
        "dim": strategy.spec.dim,
        "scale": _scale_of(model),
        **_about_columns(strategy.reader),
        "features": [
            _about_feature(model, index, feature) for index, feature in enumerate(features)
        ],
        "versions": _versions(),
    }
    with model_folder.replacing(folder) as temporary:
        model_folder.write(temporary, about, tensors, training)
        again = load(temporary, strategy.device).model
        require_equal_vectors(model, again, config.strategy)


def load(folder: str | os.PathLike[str], device: str | torch.device = "cpu") -> Predictor:
    """Return the model that `ue-bench run --save` wrote into a folder.

    The state of torch's global generator does not change.

    Raises BenchError for a folder without a saved model, a damaged file, a format that is newer
    than this version's, and a strategy that is not installed (for a plug-in's strategy call
    `ue_bench.strategies.load_plugin` first). Warns (UserWarning) where the code of such a strategy
    is not what trained the model.
    """
    content, tensors, training = model_folder.read(Path(folder))
    config = RunConfig.from_stored(content["config"])
    _warn_of_other_code(config, Path(folder))
    features = []
    for index, about in enumerate(content["features"]):
        features.append(feature_values.pop_feature(index, about, tensors))
    path = Path(folder) / model_folder.NUMBERS
    spec = make_spec(without_ignored_budget(config), tuple(features))
    require_claimed(path, config, spec, tensors)
    model = unfilled_model(config, spec)
    model.strategy.reader = _reader(features, content)
    if shapes(model.state_dict()) != shapes(tensors):
        raise BenchError(
            f"{path} does not fit strategy {config.strategy!r} of this version ({__version__}); "
            f"it was written by {content['versions']['ue_bench']}"
        )
    make_room(model)
    model.load_state_dict(tensors)
    model.strategy.check_served()
    if content.get("scale"):
        model.folded = StandardisedError(Scale(*content["scale"]))
    model = model.to(device)
    continued = None
    if training is not None:
        continued = ContinuedTraining(model, make_recipe(config), training)
    return Predictor(model, config, content, continued)


def save_again(model: Predictor, folder: str | os.PathLike[str]) -> None:
    """Write a loaded model into a folder, with the state of its optimizer if it was trained on.

    `ue_bench.save` is this function. Errors are those of `save`.
    """
    training = None if model.training is None else model.training.tensors()
    save(Path(folder), model.model, model.config, training)


def _scale_of(model: RatingModel) -> list[float] | None:
    """Return mean and deviation of the targets that the model was trained on, if it scaled them."""
    if model.folded is None or model.folded.scale is None:
        return None
    return [model.folded.scale.mean, model.folded.scale.deviation]


def _warn_of_other_code(config: RunConfig, folder: Path) -> None:
    """Warn the caller of `load` if the strategy's code is not what trained the model.

    An edit may leave every vector as it was, which is why the model is served all the same.
    """
    if config.code is None:
        return
    code = code_of(config.strategy)
    here = "it has no digest here"
    if code is not None:
        here = f"{code.origin} has {code.digest} here"
    if code is None or code.digest != config.code:
        warnings.warn(
            one_line(
                f"{folder}: the model was trained by the code of {config.strategy} with digest "
                f"{config.code}, and {here}; its vectors may differ from those that were measured"
            ),
            stacklevel=3,
        )


def _about_columns(reader: ColumnReader) -> dict[str, Any]:
    """Return how raw values of the columns become categories."""
    columns = needed(reader.features)
    rules = {}
    for name in columns:
        if name in reader.rules:
            rule = reader.rules[name]
            rules[name] = {"kind": rule.kind, "absent": list(rule.absent)}
    separators = {name: text for name, text in reader.separators.items() if name in columns}
    return {"rules": rules, "separators": separators}


def _reader(features: Sequence[Feature], content: Mapping[str, Any]) -> ColumnReader:
    rules = {}
    for name, about in content["rules"].items():
        rules[name] = Rule(about["kind"], tuple(about["absent"]))
    return ColumnReader(
        features=tuple(feature.name for feature in features),
        rules=rules,
        separators=content["separators"],
    )


def _about_feature(model: RatingModel, index: int, feature: Feature) -> dict[str, Any]:
    spec = model.strategy.spec
    rows = model.strategy.hashed_rows(index)
    return {
        "name": feature.name,
        "cardinality": feature.cardinality,
        "n_seen": spec.features[index].n_seen,
        "held": feature.n_seen,
        "multi_valued": feature.bags is not None,
        "lookups": spec.lookups[index],
        "rows": None if rows is None else [rows.start, len(rows)],
    }


def _versions() -> dict[str, str]:
    versions = {"ue_bench": __version__, "python": platform.python_version()}
    for name in (*LIBRARIES, "safetensors"):
        versions[name] = version(name)
    return versions

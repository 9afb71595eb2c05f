"""A trained model in a folder: `config.json` (what it is) and `model.safetensors` (its numbers). The format: `docs/serving.md`.

Nothing in either file is code. `load` builds the strategy anew from the configuration and the features, as training did, and
fills in the numbers: hashed rows need no values for that, and a strategy that holds a vocabulary finds it in the file.
"""

import hashlib
import json
import os
import platform
import tempfile
from importlib.metadata import version
from itertools import pairwise
from pathlib import Path
from typing import Any, TypedDict

import numpy as np
import pandas as pd
import polars as pl
import torch
from pandas.api.extensions import ExtensionArray
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor

from ue_bench import data
from ue_bench.config import RunConfig
from ue_bench.errors import BenchError
from ue_bench.features import CROSS, Bags, Feature, Held, column, needed
from ue_bench.features import columns as by_name
from ue_bench.hashing import to_bytes
from ue_bench.record import schema
from ue_bench.training.environment import LIBRARIES
from ue_bench.training.model import RatingModel
from ue_bench.training.run_once import make_model, make_spec, resolve
from ue_bench.training.train import EVALUATION_ROWS
from ue_bench.version import __version__

FORMAT, FORMAT_VERSION = "ue-bench model", 1
CONFIG, NUMBERS = "config.json", "model.safetensors"


class _FeatureAbout(TypedDict):
    name: str
    cardinality: schema.Count
    held: schema.Count
    multi_valued: bool


class _Versions(TypedDict):
    ue_bench: str


class _Content(TypedDict):
    """What `config.json` must hold, beside what is only kept in it."""

    model_sha256: str
    versions: _Versions
    features: list[_FeatureAbout]
    config: schema.Anything
    kinds: dict[str, str]
    absent: list[str]
    separators: dict[str, str]


TRIED = 128  # training values of each feature for which a saved model is compared with the one in memory


class Predictor:
    """A saved model: raw values in, vectors or predictions out.

    config: of the run. record: the content of `config.json`. model: the torch module, in evaluation mode.
    """

    def __init__(self, model: RatingModel, config: RunConfig, record: dict[str, Any]) -> None:
        self.model, self.config, self.record = model.eval(), config, record

    @property
    def features(self) -> list[str]:
        """Names of the features, in their order in a vector."""
        return [feature.name for feature in self.model.strategy.spec.features]

    @property
    def columns(self) -> list[str]:
        """Names of the raw columns that `predict` and `embed` take."""
        return needed(self.features)

    @torch.no_grad()
    def predict(self, columns: Any) -> Tensor:
        """Predictions float32 [N] of N rows of raw values: the run's own, to the bit on one machine with as many threads.

        columns: a mapping from name to N values, or a DataFrame of pandas or polars. Values may be unseen: text, bytes or whole
        numbers; of a model of a table, all that a table may hold; of a multi-valued feature a list, or a text with its separator.
        A cross is made of its parts. Raises BenchError for a missing or unknown column, lengths that differ and a value that is
        no category.
        """
        parts = [self._output(vectors) for vectors in self._vectors(columns)]
        return torch.cat(parts) if parts else torch.empty(0)

    @torch.no_grad()
    def embed(self, columns: Any) -> Tensor:
        """Vectors float32 [N, W] of N rows of raw values. `columns` and errors as in `predict`."""
        parts = self._vectors(columns)
        return torch.cat(parts) if parts else torch.empty(0, sum(self.model.strategy.widths))

    def _vectors(self, columns: Any) -> list[Tensor]:
        """In parts of as many rows as an evaluation has: the same sums in the same order."""
        values = by_name(self.features, columns, self._texts, self.record["separators"])
        starts = range(0, len(values[0]), EVALUATION_ROWS)
        return [
            self.model.strategy.from_values([column[n : n + EVALUATION_ROWS] for column in values])
            for n in starts
        ]

    def _texts(self, name: str, values: Any) -> pl.Series:
        """Categories of a raw column, as the run had them."""
        kinds = self.record["kinds"]
        if name not in kinds:
            return column(name, values)
        try:
            if isinstance(values, (pd.Series, pd.Index, ExtensionArray)):
                values = pl.from_pandas(pd.Series(values))
            series = pl.Series(name, values, strict=False)
            return data.text_as(series, kinds[name], self.record["absent"])
        except (TypeError, ValueError) as error:
            raise BenchError(f"column {name!r}: {error}") from error

    def _output(self, vectors: Tensor) -> Tensor:
        """What is predicted from vectors [N, W]: the one place that knows what the head's numbers mean."""
        return self.model.loss.predict(self.model.head(vectors))


def require_free(folder: Path) -> None:
    """Raise BenchError unless a model can be saved there: the folder can be written, and is new, empty or holds a saved model."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        tempfile.TemporaryFile(dir=folder).close()
        others = sorted(path.name for path in folder.iterdir() if not _is_left_over(path))
    except OSError as error:
        raise BenchError(
            f"cannot write {folder}: {error.strerror or error}; choose another folder"
        ) from error
    if others and not _holds_a_model(folder):
        raise BenchError(
            f"{folder} holds something else ({others[0]!r}); name a new or empty folder, or one with a saved model"
        )


def save(
    folder: Path, model: RatingModel, config: RunConfig, dataset: data.Dataset | None = None
) -> None:
    """Write a trained model, as it is served, into a folder. What is there is whole, or as it was.

    Both files are written and read back beside those of an older model before they take their names. A power cut between the two
    renames leaves a pair that `load` refuses.
    config: that the model was trained by. dataset: whose raw values it takes; None: of categories as they are.
    Raises BenchError for a folder that cannot be written or holds something else, and for a strategy that cannot be built from
    what is saved of it.
    """
    require_free(folder)
    config, strategy = resolve(config), model.strategy
    features = [strategy.to_serve(index) for index in range(len(strategy.spec.features))]
    names = [feature.name for feature in features]
    kinds, absent = (dict(dataset.kinds), list(dataset.absent)) if dataset else ({}, [])
    separators = data.multi_valued(dataset, names, config.multi_valued) if dataset else {}
    tensors = {name: tensor.detach().contiguous() for name, tensor in model.state_dict().items()}
    for index, feature in enumerate(features):
        tensors |= _values(index, feature)
    try:
        with tempfile.TemporaryDirectory(prefix=".saving-", dir=folder) as temporary:
            numbers, about = Path(temporary, NUMBERS), Path(temporary, CONFIG)
            save_file(
                tensors, numbers, {"format": "pt"}
            )  # of several entries the order is not fixed
            _sync(numbers)
            content = {
                "format": FORMAT,
                "format_version": FORMAT_VERSION,
                "run_id": config.run_id,
                "config": config.to_dict(),
                "dim": strategy.spec.dim,
                "kinds": kinds,
                "absent": absent,
                "separators": separators,
                "features": [
                    _about(model, index, feature) for index, feature in enumerate(features)
                ],
                "versions": {"ue_bench": __version__, "python": platform.python_version()}
                | {name: version(name) for name in (*LIBRARIES, "safetensors")},
                "model_sha256": _sha256(numbers),
            }
            content["checksum"] = _checksum(content)
            about.write_text(
                json.dumps(content, ensure_ascii=False, indent=1) + "\n", encoding="utf-8"
            )
            _sync(about)
            os.chmod(
                numbers, about.stat().st_mode & 0o777
            )  # as any new file: some releases write for the owner alone
            _compare(model, load(temporary, strategy.device))
            os.replace(numbers, folder / NUMBERS)
            os.replace(about, folder / CONFIG)
    except (OSError, SafetensorError) as error:
        told = error.strerror if isinstance(error, OSError) and error.strerror else error
        raise BenchError(
            f"cannot write {folder}: {told}; choose another folder or free the space"
        ) from error


def load(folder: str | os.PathLike[str], device: str | torch.device = "cpu") -> Predictor:
    """The model that `ue-bench run --save` wrote into a folder. The state of torch's global generator is left as it is.

    Raises BenchError for a folder that holds no saved model, a damaged file, a format newer than this version's, and a strategy
    that is not installed (a plug-in's file goes through `ue_bench.strategies.load_plugin` first).
    """
    folder = Path(folder)
    content = _read(folder)
    path = folder / NUMBERS
    try:
        if _sha256(path) != content["model_sha256"]:
            raise BenchError(
                f"{path} is damaged: it does not match its checksum in {CONFIG}; save the model again"
            )
        tensors = load_file(path)
    except (OSError, SafetensorError) as error:
        raise BenchError(f"{path} cannot be read ({error}); save the model again") from error
    config = RunConfig.from_dict(content["config"])
    features = tuple(
        _feature(index, about, tensors) for index, about in enumerate(content["features"])
    )
    with torch.random.fork_rng(devices=[]):
        model = make_model(
            config, make_spec(config, features), 0.5
        )  # the mean of any task; its bias is in the file
    model.strategy.drop_training_only()
    if _shapes(model.state_dict()) != _shapes(tensors):
        raise BenchError(
            f"{path} does not fit strategy {config.strategy!r} of this version ({__version__}); it was written by "
            f"{content['versions']['ue_bench']}"
        )
    model.load_state_dict(tensors)
    return Predictor(model.to(device), config, content)


def _values(index: int, feature: Feature) -> dict[str, Tensor]:
    """The values that a feature holds, and their counts where it has them, as tensors by name."""
    if not feature.n_seen:
        return {}
    texts = [to_bytes(value) for value in feature.values[: feature.n_seen]]
    ends = np.cumsum([0, *map(len, texts)], dtype=np.int64)
    found = {
        "utf8": torch.from_numpy(np.array(bytearray(b"".join(texts)), np.uint8)),
        "offsets": torch.from_numpy(ends),
    }
    if feature.counts:
        found["counts"] = torch.tensor(list(feature.counts), dtype=torch.int64)
    return {f"values.{index}.{name}": tensor for name, tensor in found.items()}


def _feature(index: int, about: dict[str, Any], tensors: dict[str, Tensor]) -> Feature:
    """Inverse of `_values`, which takes what it reads out of `tensors`."""
    utf8, offsets, counts = (
        tensors.pop(f"values.{index}.{name}", None) for name in ("utf8", "offsets", "counts")
    )
    texts: list[str] = []
    if utf8 is not None and offsets is not None:
        joined, places = utf8.numpy().tobytes(), offsets.tolist()
        try:
            texts = [joined[start:end].decode() for start, end in pairwise(places)]
        except UnicodeDecodeError as error:
            raise BenchError(
                f"values of feature {about['name']!r} are no UTF-8 ({error}); save the model again"
            ) from error
        if len(joined) != places[-1]:
            raise BenchError(
                f"values of feature {about['name']!r} take {places[-1]} bytes and the file has {len(joined)} of them"
            )
    if len(texts) != about["held"]:
        raise BenchError(
            f"values of feature {about['name']!r}: {about['held']} should be held and the file has {len(texts)}"
        )
    held = Held(about["name"], texts, about["cardinality"])
    bags = Bags.of([]) if about["multi_valued"] else None  # none is known: rows bring their own
    return Feature(about["name"], held, len(texts), [] if counts is None else counts.tolist(), bags)


def _about(model: RatingModel, index: int, feature: Feature) -> dict[str, Any]:
    spec, rows = model.strategy.spec, model.strategy.hashed_rows(index)
    return {
        "name": feature.name,
        "cardinality": feature.cardinality,
        "n_seen": spec.features[index].n_seen,
        "held": feature.n_seen,
        "multi_valued": feature.bags is not None,
        "lookups": spec.lookups[index],
        "rows": None if rows is None else [rows.start, len(rows)],
    }


def _read(folder: Path) -> dict[str, Any]:
    """The content of `config.json`, checked."""
    path = folder / CONFIG
    try:
        content = json.loads(path.read_bytes())
    except FileNotFoundError as error:
        raise BenchError(
            f"{folder} holds no saved model (no {CONFIG}); ue-bench run --save DIR makes one"
        ) from error
    except (OSError, ValueError, RecursionError) as error:
        raise BenchError(f"{path} is no saved model ({error}); save the model again") from error
    if (
        not isinstance(content, dict)
        or content.get("format") != FORMAT
        or type(content.get("format_version")) is not int
    ):
        raise BenchError(f"{path} is no saved model of ue_bench (its format is not {FORMAT!r})")
    if content["format_version"] > FORMAT_VERSION:
        raise BenchError(
            f"{path}: format {content['format_version']} is newer than {FORMAT_VERSION}; upgrade ue_bench"
        )
    if content.pop("checksum", None) != _checksum(content):
        raise BenchError(f"{path} is damaged: it does not match its checksum; save the model again")
    if fault := schema.fault(content, _Content):
        raise BenchError(f"{path} is no saved model ({fault})")
    return content


def _holds_a_model(folder: Path) -> bool:
    """Whether it is ours, damaged or not: another program's model has these two files too."""
    try:
        content = json.loads((folder / CONFIG).read_bytes())
    except (OSError, ValueError, RecursionError):
        return False
    return isinstance(content, dict) and content.get("format") == FORMAT


def _is_left_over(path: Path) -> bool:
    """Of a command that was killed while it saved."""
    return path.name.startswith(".saving-")


def _compare(model: RatingModel, saved: Predictor) -> None:
    """Raise BenchError unless what was saved gives the vectors of the model in memory."""
    samples = []
    for feature in model.strategy.spec.features:
        seen = list(feature.values[: min(TRIED, feature.n_seen)])
        made_up = [f"{CROSS}{feature.name}{number}" for number in range(2 * TRIED - len(seen))]
        samples.append(
            [[value] for value in (*seen, *made_up)]
            if feature.bags is not None
            else [*seen, *made_up]
        )
    with torch.no_grad():
        if not torch.equal(
            model.strategy.from_values(samples), saved.model.strategy.from_values(samples)
        ):
            raise BenchError(
                f"{saved.config.strategy}: built from what is saved it gives other vectors; the strategy must say in `to_serve` "
                "what it needs"
            )


def _shapes(tensors: dict[str, Tensor]) -> dict[str, tuple[torch.dtype, torch.Size]]:
    return {name: (tensor.dtype, tensor.shape) for name, tensor in tensors.items()}


def _sync(path: Path) -> None:
    with open(path, "rb") as file:
        os.fsync(file.fileno())


def _sha256(path: Path) -> str:
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _checksum(content: dict[str, Any]) -> str:
    return hashlib.sha256(
        json.dumps(content, sort_keys=True, separators=(",", ":")).encode()
    ).hexdigest()

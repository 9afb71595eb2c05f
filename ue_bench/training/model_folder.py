"""The format of a saved model on disk: a folder with `config.json`, what the model is, and
`model.safetensors`, its numbers. `docs/serving.md` describes it.

A model that was trained on after it was saved has `training.safetensors` too, the state of its
optimizer. No file is code.
"""

import hashlib
import json
import os
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any, Literal, NotRequired, TypedDict

import msgspec
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor

from ue_bench.categories import Kind
from ue_bench.config.json_value import LIMITS, is_json
from ue_bench.errors import BenchError
from ue_bench.record import schema
from ue_bench.whole_file import move, read_regular, require_readable, require_regular

FORMAT = "ue-bench model"
FORMAT_VERSION = 2
CONFIG = "config.json"
NUMBERS = "model.safetensors"
TRAINING = "training.safetensors"
MOST_CONFIG = 2**26  # bytes
# How format 1 named the kind of a rule. Its texts for a missing value were those of all columns.
_KINDS_1 = {"text": "text", "csv": "text", "whole": "whole", "bucket": "number"}
_TEMPORARY = ".saving-"  # how the folder of a model begins that is being written


class _FeatureAbout(TypedDict):
    name: str
    cardinality: Annotated[int, msgspec.Meta(ge=1, le=schema.WORD - 1)]
    held: schema.Count
    multi_valued: bool


class _Versions(TypedDict):
    ue_bench: str


class _Rule(TypedDict):
    kind: Kind
    absent: list[str]


class _Content(TypedDict):
    """The fields of `config.json` that are read. It has others, which are only kept."""

    model_sha256: str
    versions: _Versions
    features: list[_FeatureAbout]
    config: schema.Anything
    rules: dict[str, _Rule]
    separators: dict[str, str]
    scale: NotRequired[
        Annotated[list[schema.Real], msgspec.Meta(min_length=2, max_length=2)] | None
    ]
    training_sha256: NotRequired[str | None]


class _Columns1(TypedDict):
    """What `config.json` of format 1 has in place of `rules`."""

    kinds: dict[str, Literal["text", "csv", "whole", "bucket"]]
    absent: list[str]


def require_free(folder: Path) -> None:
    """Raise BenchError unless a model can be saved in the folder.

    It has to be writable, and new, empty or one with a saved model.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        tempfile.TemporaryFile(dir=folder).close()
        names = sorted(path.name for path in folder.iterdir())
    except OSError as error:
        raise BenchError(
            f"cannot write {folder}: {error.strerror or error}; choose another folder"
        ) from error
    # A command that was killed while it saved leaves its temporary folder behind.
    others = [name for name in names if not name.startswith(_TEMPORARY)]
    if others and not _has_a_model(folder):
        raise BenchError(
            f"{folder} holds something else ({others[0]!r}); "
            "name a new or empty folder, or one with a saved model"
        )


@contextmanager
def replacing(folder: Path) -> Iterator[Path]:
    """Yield a temporary folder whose files take their names in `folder` at the end.

    An error before the end leaves `folder` as it was. A power cut between two renames leaves files
    that `read` refuses. Raises BenchError where the files cannot be written.
    """
    try:
        with tempfile.TemporaryDirectory(prefix=_TEMPORARY, dir=folder) as temporary:
            yield Path(temporary)
            written = [
                name for name in (TRAINING, NUMBERS, CONFIG) if Path(temporary, name).exists()
            ]
            for name in written:
                require_regular(folder / name)
            for name in written:
                move(Path(temporary, name), folder / name)
            if TRAINING not in written:  # that of the model before
                (folder / TRAINING).unlink(missing_ok=True)
    except (OSError, SafetensorError) as error:
        reason: object = error
        if isinstance(error, OSError) and error.strerror:
            reason = error.strerror
        raise BenchError(
            f"cannot write {folder}: {reason}; choose another folder or free the space"
        ) from error


def write(
    folder: Path,
    about: dict[str, Any],
    tensors: dict[str, Tensor],
    training: dict[str, Tensor] | None = None,
) -> None:
    """Write the files into an empty folder, down to the disk.

    about: the content of `config.json` without format and checksums. training: the state of the
    optimizer, of a model that was trained on.
    """
    numbers = folder / NUMBERS
    config = folder / CONFIG
    # The file has one metadata entry, because the order of several is not fixed.
    save_file(tensors, numbers, {"format": "pt"})
    _sync(numbers)
    state = folder / TRAINING
    if training is not None:
        save_file(training, state, {"format": "pt"})
        _sync(state)
    content = {
        "format": FORMAT,
        "format_version": FORMAT_VERSION,
        **about,
        "model_sha256": _sha256(numbers),
        "training_sha256": _sha256(state) if training is not None else None,
    }
    content["checksum"] = _checksum(content)
    text = json.dumps(content, ensure_ascii=False, indent=1)
    config.write_text(f"{text}\n", encoding="utf-8")
    _sync(config)
    # Some releases of safetensors write for the owner alone; the mode is to be that of a new file.
    for path in (numbers, state):
        if path.exists():
            os.chmod(path, config.stat().st_mode & 0o777)


def read(folder: Path) -> tuple[dict[str, Any], dict[str, Tensor], dict[str, Tensor] | None]:
    """Return the content of `config.json`, the numbers of the model and the optimizer's state.

    The state is None where the model was not trained on. Raises BenchError for a folder without a
    saved model, a damaged file and a newer format.
    """
    content = _read_config(folder)
    numbers = _read_tensors(folder / NUMBERS, content["model_sha256"])
    checksum = content.get("training_sha256")
    if checksum is None:
        return content, numbers, None
    return content, numbers, _read_tensors(folder / TRAINING, checksum)


def _read_tensors(path: Path, checksum: str) -> dict[str, Tensor]:
    try:
        require_readable(path)
        if _sha256(path) != checksum:
            raise BenchError(
                f"{path} is damaged: it does not match its checksum in {CONFIG}; "
                "save the model again"
            )
        return load_file(path)
    except (OSError, SafetensorError) as error:
        raise BenchError(f"{path} cannot be read ({error}); save the model again") from error


def _read_config(folder: Path) -> dict[str, Any]:
    path = folder / CONFIG
    try:
        content = json.loads(read_regular(path, MOST_CONFIG))
    except FileNotFoundError as error:
        raise BenchError(
            f"{folder} holds no saved model (no {CONFIG}); ue-bench run --save DIR makes one"
        ) from error
    except (OSError, ValueError, RecursionError) as error:
        raise BenchError(f"{path} is no saved model ({error}); save the model again") from error
    if not _is_ours(content) or type(content.get("format_version")) is not int:
        raise BenchError(f"{path} is no saved model of ue_bench (its format is not {FORMAT!r})")
    if content["format_version"] > FORMAT_VERSION:
        raise BenchError(
            f"{path}: format {content['format_version']} is newer than {FORMAT_VERSION}; "
            "upgrade ue_bench"
        )
    if content.pop("checksum", None) != _checksum(content):
        raise BenchError(f"{path} is damaged: it does not match its checksum; save the model again")
    if not is_json(content):
        raise BenchError(f"{path} is no saved model (it has a value that is none {LIMITS})")
    fault = None
    if content["format_version"] < 2:
        fault = schema.fault(content, _Columns1)
        if not fault:
            content["rules"] = _rules_of_1(content.pop("kinds"), content.pop("absent"))
    fault = fault or schema.fault(content, _Content)
    if fault:
        raise BenchError(f"{path} is no saved model ({fault})")
    return content


def _rules_of_1(kinds: Mapping[str, str], absent: Sequence[str]) -> dict[str, Any]:
    """Return the rules of format 1, as format 2 writes them."""
    rules = {}
    for name, kind in kinds.items():
        rules[name] = {"kind": _KINDS_1[kind], "absent": [] if kind == "text" else list(absent)}
    return rules


def _has_a_model(folder: Path) -> bool:
    """Return whether the folder has a model of ours, damaged or not.

    Models of other programs have files of the same two names.
    """
    try:
        content = json.loads(read_regular(folder / CONFIG, MOST_CONFIG))
    except (OSError, ValueError, RecursionError):
        return False
    return _is_ours(content)


def _is_ours(content: Any) -> bool:
    return isinstance(content, dict) and content.get("format") == FORMAT


def _sync(path: Path) -> None:
    with open(path, "rb") as file:
        os.fsync(file.fileno())


def _sha256(path: Path) -> str:
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _checksum(content: dict[str, Any]) -> str:
    text = json.dumps(content, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()

"""Finds Python objects in which a strategy holds values of features, which no vocabulary counts.

They are looked for in the strategy, in the modules and objects in it, in its classes, and in the
globals, the functions and their closures and caches of the files that these classes are from. What
has an entry for each value is found whatever its entries are, by its `sizes` with few values and
with many.
"""

import sys
import zlib
from array import array
from collections import defaultdict
from collections.abc import Collection, Iterator, Mapping
from collections.abc import Set as AbstractSet
from functools import partial
from pathlib import Path
from types import FunctionType, MemberDescriptorType, MethodType, ModuleType
from typing import Any, NamedTuple

import numpy as np
import polars as pl
from torch import Tensor, nn

from ue_bench.features import Feature
from ue_bench.hashing import digests, hash_rows
from ue_bench.strategies import EmbeddingStrategy, Spec
from ue_bench.strategies.slots import SlotCache

_ARRAYS = (np.ndarray, array, pl.Series, bytes, bytearray, Tensor)  # what has no Python objects
_NO_STATE = (str, int, float, bool, complex, type(None), Feature, Spec)
_LARGEST_ROW = 1 << 16  # a smaller number may be a row; the hash of an empty text is 0
_LARGEST_ARRAY = 1 << 20  # numbers
_OF_TORCH = frozenset(vars(nn.Module()))  # hooks, and the parts that `_of_module` reads


class Holder(NamedTuple):
    """An object with several entries. name: where it is, such as `self.rows`.

    outermost: the name of the object with entries that it is in, its own where it is in none.
    size: the number of its entries; 0 of an array, which may have a row for each one of a
    vocabulary, or what only training reads. entries: texts, numbers and tuples; empty where they
    cannot be seen.
    """

    name: str
    outermost: str
    size: int
    entries: Collection[Any]


def forms_of_values(spec: Spec) -> set[Any]:
    """Return what may stand for a value of the features: its text, its bytes, or a usual hash.

    Usual are Python's hash, CRC-32, xxh64, and xxh32 with seed 0 or a seed of the spec.
    """
    forms: set[Any] = set()
    hashes: set[int] = set()
    for index, feature in enumerate(spec.features):
        texts = list(feature.values)
        contents = [text.encode() for text in texts]
        forms.update(texts, contents)
        hashes.update(map(hash, texts), map(hash, contents), map(zlib.crc32, contents))
        hashes.update(digests(texts).tolist())
        hashes.update(hash_rows(texts, [0, *spec.seeds(index)], 1 << 32).flatten().tolist())
    return forms | {number for number in hashes if abs(number) > _LARGEST_ROW}


def recognised(holder: Holder, forms: set[Any]) -> int:
    """Count the entries that stand for values, or are tuples with something that does."""
    return sum(_is_of(entry, forms) for entry in holder.entries)


def sizes(strategy: EmbeddingStrategy) -> dict[str, int]:
    """Return how many entries the objects of a strategy have, by name, with what is in each."""
    found: dict[str, int] = defaultdict(int)
    for holder in holders(strategy):
        found[holder.outermost] += holder.size
    return found


def holders(strategy: EmbeddingStrategy) -> Iterator[Holder]:
    """Yield each object with several entries that a strategy holds.

    What is counted or not served is none of them: vocabularies, parameters, persistent buffers and
    the slot cache. Nor is the spec, which every strategy is given.
    """
    waiting: list[tuple[str, str, Any]] = [("self", "", strategy)]
    for module in _own_modules(strategy):
        file = Path(module.__file__ or module.__name__).name
        for name, value in vars(module).items():
            if _is_own(value, module):
                waiting.append((f"{name} of {file}", "", value))
    seen = {id(vocabulary) for vocabulary in strategy.vocabularies}
    while waiting:
        name, outermost, held = waiting.pop()
        if isinstance(held, _NO_STATE) or id(held) in seen:
            continue
        seen.add(id(held))
        size, entries = _contents(held)
        if size or len(entries):
            outermost = outermost or name
            yield Holder(name, outermost, size, entries)
        for part, value in _parts(held):
            waiting.append((f"{name}{part}", outermost, value))


def _contents(held: Any) -> tuple[int, Collection[Any]]:
    """Return how many entries an object has, and those that are Python objects."""
    if isinstance(held, Mapping):
        return len(held), list(held.items())
    if isinstance(held, (list, tuple, AbstractSet)):
        return len(held), list(held)
    if isinstance(held, Tensor) and held.device.type == "cpu":
        held = held.detach().numpy()
    if isinstance(held, pl.Series):
        held = held.to_numpy()
    if isinstance(held, np.ndarray) and held.size <= _LARGEST_ARRAY:
        return 0, [] if held.dtype.kind == "f" else held.ravel().tolist()
    if isinstance(held, array):
        return 0, held.tolist()
    if isinstance(held, (bytes, bytearray)):
        return len(held), ()
    if _is_cache(held):
        return held.cache_info().currsize, ()
    return 0, ()


def _parts(held: Any) -> Iterator[tuple[str, Any]]:
    """Yield what an object holds, with the end of its name."""
    if isinstance(held, _ARRAYS):
        return
    if isinstance(held, Mapping):
        yield from ((f"[{key!r}]", value) for key, value in held.items())
    elif isinstance(held, (list, tuple, AbstractSet)):
        yield from (("[...]", value) for value in held)
    elif isinstance(held, (FunctionType, MethodType, partial)) or _is_cache(held):
        yield from _of_function(held)
    elif isinstance(held, type):
        yield from ((f".{name}", value) for name, value in _of_class(held))
    elif not isinstance(held, ModuleType):
        if isinstance(held, nn.Module):
            yield from ((f".{name}", value) for name, value in _of_module(held))
        yield from ((f".{name}", value) for name, value in _attributes(held).items())


def _of_function(function: Any) -> Iterator[tuple[str, Any]]:
    """Yield what a function keeps between its calls."""
    if isinstance(function, MethodType):
        yield "", function.__func__
        yield ".__self__", function.__self__
    elif isinstance(function, partial):
        yield "", function.func
        yield ".args", function.args
        yield ".keywords", function.keywords
    elif _is_cache(function):
        yield "", function.__wrapped__
    else:
        names = function.__code__.co_freevars
        for name, cell in zip(names, function.__closure__ or (), strict=True):
            if not _is_empty(cell):
                yield f"'s {name}", cell.cell_contents
        yield "'s defaults", (*(function.__defaults__ or ()), function.__kwdefaults__ or {})
        yield from ((f".{name}", value) for name, value in vars(function).items())


def _is_empty(cell: Any) -> bool:
    try:
        cell.cell_contents  # noqa: B018 # an empty one raises
    except ValueError:
        return True
    return False


def _is_cache(held: Any) -> bool:
    """Return whether it is what `functools.cache` makes of a function."""
    return type(held).__name__ == "_lru_cache_wrapper"


def _of_module(module: nn.Module) -> Iterator[tuple[str, Any]]:
    """Yield modules in a module, and its buffers that are neither counted nor of the slot cache."""
    yield from module.named_children()
    of_cache = set()
    if isinstance(module, SlotCache):
        of_cache = {"_slots", "_owner", "_owners", "_start", "_beside", "_with_unseen", "_dropout"}
    for name in module._non_persistent_buffers_set - of_cache:
        yield name, module._buffers.get(name)


def _attributes(held: Any) -> dict[str, Any]:
    """Return what an object holds by name: its own, also in slots, and what its class holds."""
    found: dict[str, Any] = {}
    for cls in reversed(type(held).__mro__):
        if cls.__module__ != "builtins":
            found |= dict(_of_class(cls))
        for name, value in vars(cls).items():
            if isinstance(value, MemberDescriptorType):
                found[name] = getattr(held, name, None)
    own = getattr(held, "__dict__", {})
    if isinstance(held, nn.Module):
        own = {name: value for name, value in own.items() if name not in _OF_TORCH}
    return found | own


def _of_class(cls: type) -> Iterator[tuple[str, Any]]:
    """Yield containers of a class, and the functions of one that is not of a package here."""
    for name, value in vars(cls).items():
        value = getattr(value, "__func__", value)  # of a class method or a static one
        is_function = isinstance(value, FunctionType) or _is_cache(value)
        is_container = isinstance(value, (dict, list, set, *_ARRAYS))
        if is_container or (is_function and _is_foreign(cls)):
            yield name, value


def _is_foreign(cls: type) -> bool:
    """Return whether a class is of somebody else's code: neither of this package nor of torch."""
    return cls.__module__.partition(".")[0] not in {"ue_bench", "torch", "builtins", "abc"}


def _own_modules(strategy: EmbeddingStrategy) -> Iterator[ModuleType]:
    """Yield the files of the classes of a strategy and of the modules in it, as Python modules."""
    names: dict[str, None] = {}
    for module in strategy.modules():
        for cls in type(module).__mro__:
            if _is_foreign(cls) and cls not in EmbeddingStrategy.__mro__:
                names[cls.__module__] = None
    for name in names:
        if name in sys.modules:
            yield sys.modules[name]


def _is_own(value: Any, module: ModuleType) -> bool:
    """Return whether a global of a module is a container, or code that the module itself has."""
    if isinstance(value, (Mapping, list, tuple, AbstractSet, *_ARRAYS)):
        return True
    if isinstance(value, (FunctionType, type)) or _is_cache(value):
        return value.__module__ == module.__name__
    return type(value).__module__ == module.__name__


def _is_of(entry: Any, forms: set[Any]) -> bool:
    if isinstance(entry, (str, bytes, int)):
        return entry in forms
    return isinstance(entry, tuple) and any(_is_of(part, forms) for part in entry)

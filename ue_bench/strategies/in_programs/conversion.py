"""`convert`: the embedding tables of a model become one small table that all of them share."""

from collections.abc import Iterable
from typing import Any

import torch
from torch import nn

from ue_bench.errors import BenchError, unknown
from ue_bench.strategies.in_programs.hashed_ids import (
    HashedEmbedding,
    HashedEmbeddingBag,
    HashedIds,
    IdTable,
    rows_of_ids,
    shared_table,
)


def convert(
    model: nn.Module,
    names: Iterable[str],
    *,
    budget: int | str | None = None,
    compression: float | None = None,
    dim: int | None = None,
    bits: int | str = 32,
    seed: int = 0,
    init: str = "normal",
    init_scale: float | None = None,
) -> nn.Module:
    """Replace `nn.Embedding` and `nn.EmbeddingBag` modules of a model, and return the model.

    All of them get rows of one `UnifiedEmbedding`: ids are hashed, each module under seeds of its
    own. They take and return what they did before, and keep `padding_idx`, `sparse`, the mode and
    the weights of bags. Modules that share a weight, or are one, share their vectors. What the
    weights have learned is not kept: train the model after this. Make its optimizer after this,
    too.

    names: of the modules, as `model.named_modules()` has them.
    budget: bytes of the table, as a number or a text such as "28kB". compression: or how many times
    smaller the table is than the weights that it replaces. Beside the table the rows of each id
    take 4 bytes a lookup, which no state contains.
    dim: numbers of a row; an embedding of more numbers has several rows an id. None: the greatest
    common divisor of the embedding dims.
    bits: of a number as it is served, as in `UnifiedEmbedding`. Call `pack` of the shared `table`
    of any of the modules after training.
    seed: of the hashing. init, init_scale: of the table, as in `UnifiedEmbedding`.

    Raises BenchError for a name that is not there, for a module of another type, with `max_norm`,
    `scale_grad_by_freq`, hooks, a frozen weight, a weight that is not float32 or a padding row that
    is not zero, for a weight that a module beside the named ones holds too, for modules that differ
    in `sparse` or device, and for a budget that does not work. The model is then as it was.
    """
    chosen = _chosen(model, names)
    _require_free(model, chosen)
    first = next(iter(chosen.values()))
    for what in ("sparse", "device"):
        _require_equal(chosen, what)
    weights = {id(module.weight): module for module in chosen.values()}
    table = shared_table(
        "convert",
        [_table_of(module) for module in weights.values()],
        budget=budget,
        compression=compression,
        dim=dim,
        bits=bits,
        init=init,
        init_scale=init_scale,
        device=first.weight.device,
    )
    table.embedding.sparse = first.sparse
    slots: dict[int, torch.Tensor] = {}
    made: dict[int, HashedIds] = {}
    for name, module in chosen.items():
        weight = id(module.weight)
        if weight not in slots:
            rows = rows_of_ids(name, _table_of(module), table, seed)
            slots[weight] = rows.to(first.weight.device)
        if id(module) not in made:
            made[id(module)] = _replacement(module, table, slots[weight])
        model.set_submodule(name, made[id(module)])
    return model


def _chosen(model: nn.Module, names: Iterable[str]) -> dict[str, Any]:
    """Return the named modules, and every other name of one of them."""
    there = dict(model.named_modules(remove_duplicate=False))
    embeddings = [name for name, module in there.items() if _is_embedding(module) and name]
    names = [names] if isinstance(names, str) else list(names)
    for name in names or [""]:
        if name not in there or not name:
            raise unknown("module", name, embeddings)
        reason = _obstacle(there[name])
        if reason is not None:
            raise BenchError(f"convert: {name!r} {reason}")
    modules = {id(there[name]) for name in names}
    ordered = [*names, *there]
    return {name: there[name] for name in ordered if id(there[name]) in modules}


def _is_embedding(module: nn.Module) -> bool:
    return type(module) in (nn.Embedding, nn.EmbeddingBag)


def _obstacle(module: Any) -> str | None:
    """Return why a module cannot be replaced, with what to do; None: it can."""
    if not _is_embedding(module):
        return (
            f"is one {type(module).__name__}; name modules that are nn.Embedding or "
            "nn.EmbeddingBag, and no subclass"
        )
    weight = module.weight
    if module.max_norm is not None:
        return (
            f"has max_norm={module.max_norm}, which would change rows that other ids share; "
            "set it to None or leave the module out"
        )
    if module.scale_grad_by_freq:
        return (
            "has scale_grad_by_freq, and a row of the table serves several ids; set it to False "
            "or leave the module out"
        )
    if not weight.requires_grad:
        return "has a frozen weight, which a table that is trained anew cannot keep; leave it out"
    if weight.dtype != torch.float32:
        return f"has a weight of {weight.dtype}; convert a model of float32, and then change it"
    if _has_hooks(module) or _has_hooks(weight):
        return "has hooks, which would be lost; remove them, and add them to the new module"
    padding = module.padding_idx
    if type(module) is nn.Embedding and padding is not None and weight[padding].any():
        return (
            f"has a padding row ({padding}) that is not zero, and the vector of padding will be; "
            "set the row to zero"
        )
    return None


def _has_hooks(of: Any) -> bool:
    """Whether a module or a weight calls functions of a program, for any occasion.

    torch keeps those of each occasion in an attribute of its own, and adds occasions.
    """
    kinds = [*vars(of), "_backward_hooks", "_post_accumulate_grad_hooks"]  # the last two of tensors
    return any(getattr(of, kind, None) for kind in kinds if kind.endswith("_hooks"))


def _require_free(model: nn.Module, chosen: dict[str, Any]) -> None:
    """Raise BenchError if a module that is not replaced holds one of the weights."""
    holders: dict[int, str] = {}
    for name, module in chosen.items():
        holders.setdefault(id(module.weight), name)
    for name, module in model.named_modules(remove_duplicate=False):
        if name in chosen:
            continue
        for parameter_name, parameter in module.named_parameters(recurse=False):
            if id(parameter) in holders:
                place = f"{name}.{parameter_name}".removeprefix(".")
                raise BenchError(
                    f"convert: the weight of {holders[id(parameter)]!r} is {place!r}, too, which "
                    "would be left alone; untie them, or leave the module out"
                )


def _require_equal(chosen: dict[str, Any], what: str) -> None:
    """Raise BenchError if the modules differ in whether gradients are sparse, or in the device."""
    names_by_value: dict[str, str] = {}
    for name, module in chosen.items():
        value = module.sparse if what == "sparse" else module.weight.device
        names_by_value.setdefault(str(value), name)
    if len(names_by_value) > 1:
        both = " and ".join(f"{value} of {name!r}" for value, name in names_by_value.items())
        raise BenchError(
            f"convert: {what} is {both}, and a table has one; convert them in a call each"
        )


def _table_of(module: Any) -> IdTable:
    return IdTable(module.num_embeddings, module.embedding_dim)


def _replacement(module: Any, table: Any, slots: torch.Tensor) -> HashedIds:
    made: HashedIds
    if isinstance(module, nn.Embedding):
        made = HashedEmbedding(table, slots, module.padding_idx)
    else:
        made = HashedEmbeddingBag(
            table,
            slots,
            mode=module.mode,
            padding_idx=module.padding_idx,
            include_last_offset=module.include_last_offset,
        )
    return made.train(module.training)

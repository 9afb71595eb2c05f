"""The lookups of one table as other libraries make them, where they are installed.

Each gets the rows of one table, int64 [B, L], one bag of one row a lookup. One that wants them in another form has that ready,
outside the clock.
"""

import importlib
from collections.abc import Callable
from typing import Any

import torch
from torch import nn

Forward = Callable[[torch.Tensor], Any]  # of the rows
MODULES = {"FBGEMM TBE": "fbgemm_gpu", "TorchRec": "torchrec"}


def embedding_bag(weight: torch.Tensor, slots: torch.Tensor) -> Forward:
    """torch.nn.EmbeddingBag with one row a bag."""
    bag = nn.EmbeddingBag.from_pretrained(weight, mode="sum")
    offsets, width = torch.arange(slots.numel()), slots.shape[1] * weight.shape[1]
    return lambda rows: bag(rows.flatten(), offsets).view(-1, width)


def fbgemm(weight: torch.Tensor, slots: torch.Tensor) -> Forward:
    """FBGEMM's table-batched embedding on the CPU: one table that each of the L lookups reads as a feature."""
    from fbgemm_gpu.split_embedding_configs import EmbOptimType
    from fbgemm_gpu.split_table_batched_embeddings_ops_common import EmbeddingLocation
    from fbgemm_gpu.split_table_batched_embeddings_ops_training import (
        ComputeDevice,
        SplitTableBatchedEmbeddingBagsCodegen,
    )

    lookups = slots.shape[1]
    bags = SplitTableBatchedEmbeddingBagsCodegen(
        [(*weight.shape, EmbeddingLocation.HOST, ComputeDevice.CPU)],
        feature_table_map=[0] * lookups,
        optimizer=EmbOptimType.EXACT_ROWWISE_ADAGRAD,
    )
    bags.split_embedding_weights()[0].copy_(weight)
    rows, offsets = slots.t().flatten(), torch.arange(slots.numel() + 1)
    return lambda _: bags(rows, offsets)


def torchrec(weight: torch.Tensor, slots: torch.Tensor) -> Forward:
    """TorchRec's EmbeddingBagCollection: one table, the lookups as its features."""
    from torchrec.modules.embedding_configs import EmbeddingBagConfig
    from torchrec.modules.embedding_modules import EmbeddingBagCollection
    from torchrec.sparse.jagged_tensor import KeyedJaggedTensor

    names = [f"lookup {number}" for number in range(slots.shape[1])]
    rows, dim = weight.shape
    collection = EmbeddingBagCollection(
        [
            EmbeddingBagConfig(
                name="table", embedding_dim=dim, num_embeddings=rows, feature_names=names
            )
        ]
    )
    collection.embedding_bags["table"].weight.data.copy_(weight)
    lengths = torch.ones(slots.numel(), dtype=torch.int32)
    rows_of = KeyedJaggedTensor(keys=names, values=slots.t().flatten(), lengths=lengths)
    return lambda _: collection(rows_of).values()


def installed() -> tuple[dict[str, Callable[[torch.Tensor, torch.Tensor], Forward]], str]:
    """The peers that can be loaded, by name, and a line about those that cannot (empty: all can)."""
    found: dict[str, Callable[[torch.Tensor, torch.Tensor], Forward]] = {
        "nn.EmbeddingBag": embedding_bag
    }
    absent = []
    for name, make in (("FBGEMM TBE", fbgemm), ("TorchRec", torchrec)):
        try:
            importlib.import_module(MODULES[name])
        except (ImportError, OSError) as error:  # OSError: built for another torch
            absent.append(f"{name} ({str(error).splitlines()[0][:60]})")
        else:
            found[name] = make
    hint = "; install the extra `peers` in a build that fits this torch" if absent else ""
    return (
        found,
        f"not measured, for they cannot be loaded: {', '.join(absent)}{hint}" if absent else "",
    )

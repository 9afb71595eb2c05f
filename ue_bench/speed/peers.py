"""The lookups of one table as other libraries make them, where they are installed.

Each gets the rows of one table, int64 [B, L], and reads one bag of one row a lookup. The form in
which a library wants its rows is made outside the clock.
"""

import importlib
from collections.abc import Callable
from functools import partial
from typing import Any

import torch
from torch import nn

Forward = Callable[[torch.Tensor], Any]  # takes the rows
Maker = Callable[[torch.Tensor, torch.Tensor], Forward]  # takes the table and the rows
TableMaker = Callable[[int, int, int], Forward]  # takes rows, numbers of a row, and lookups


def embedding_bag(weight: torch.Tensor, slots: torch.Tensor) -> Forward:
    """Return the lookup of torch.nn.EmbeddingBag."""
    bag = nn.EmbeddingBag.from_pretrained(weight, mode="sum")
    offsets = torch.arange(slots.numel())
    width = slots.shape[1] * weight.shape[1]
    return lambda rows: bag(rows.flatten(), offsets).view(-1, width)


def fbgemm(weight: torch.Tensor, slots: torch.Tensor) -> Forward:
    """Return the lookup of FBGEMM's table-batched embedding on the CPU.

    It has one table, which each of the L lookups reads as a feature.
    """
    n_rows, dim = weight.shape
    bags = _fbgemm_bags(n_rows, dim, slots.shape[1])
    bags.split_embedding_weights()[0].copy_(weight)
    rows = slots.t().flatten()
    offsets = torch.arange(slots.numel() + 1)
    return lambda _: bags(rows, offsets)


def fbgemm_trained(rows: int, dim: int, lookups: int) -> Forward:
    """Return FBGEMM's table, whose backward pass updates its rows by row-wise Adagrad."""
    bags = _fbgemm_bags(rows, dim, lookups)
    bags.split_embedding_weights()[0].normal_(0, 0.05)

    def vectors(slots: torch.Tensor) -> torch.Tensor:
        bag_of_each = torch.arange(slots.numel() + 1)
        read: torch.Tensor = bags(slots.t().flatten().long(), bag_of_each)
        return read

    return vectors


def _fbgemm_bags(rows: int, dim: int, lookups: int) -> Any:
    from fbgemm_gpu.split_embedding_configs import EmbOptimType
    from fbgemm_gpu.split_table_batched_embeddings_ops_common import EmbeddingLocation
    from fbgemm_gpu.split_table_batched_embeddings_ops_training import (
        ComputeDevice,
        SplitTableBatchedEmbeddingBagsCodegen,
    )

    return SplitTableBatchedEmbeddingBagsCodegen(
        [(rows, dim, EmbeddingLocation.HOST, ComputeDevice.CPU)],
        feature_table_map=[0] * lookups,
        optimizer=EmbOptimType.EXACT_ROWWISE_ADAGRAD,
    )


def torchrec(weight: torch.Tensor, slots: torch.Tensor) -> Forward:
    """Return the lookup of TorchRec's EmbeddingBagCollection: one table, a feature a lookup."""
    from torchrec.modules.embedding_configs import EmbeddingBagConfig
    from torchrec.modules.embedding_modules import EmbeddingBagCollection
    from torchrec.sparse.jagged_tensor import KeyedJaggedTensor

    names = [f"lookup {number}" for number in range(slots.shape[1])]
    n_rows, dim = weight.shape
    table = EmbeddingBagConfig(
        name="table", embedding_dim=dim, num_embeddings=n_rows, feature_names=names
    )
    collection = EmbeddingBagCollection([table])
    collection.embedding_bags["table"].weight.data.copy_(weight)
    lengths = torch.ones(slots.numel(), dtype=torch.int32)
    rows = KeyedJaggedTensor(keys=names, values=slots.t().flatten(), lengths=lengths)
    return lambda _: collection(rows).values()


MAKERS: dict[str, Maker] = {"FBGEMM TBE": fbgemm, "TorchRec": torchrec}
# Tables whose backward pass updates their rows, by name.
TRAINED: dict[str, TableMaker] = {"FBGEMM TBE": fbgemm_trained}
MODULES = {"FBGEMM TBE": "fbgemm_gpu", "TorchRec": "torchrec"}


def installed() -> tuple[dict[str, Maker], str]:
    """Return the peers that can be loaded, by name, and a note about those that cannot.

    The note is empty where all can be loaded.
    """
    makers: dict[str, Maker] = {"nn.EmbeddingBag": embedding_bag}
    absent = []
    for name, make in MAKERS.items():
        try:
            importlib.import_module(MODULES[name])
        except (ImportError, OSError) as error:  # OSError: it was built for another torch
            reason = str(error).splitlines()[0][:60]
            absent.append(f"{name} ({reason})")
        else:
            makers[name] = make
    if not absent:
        return makers, ""
    note = (
        f"not measured, for they cannot be loaded: {', '.join(absent)}; "
        "install the extra `peers` in a build that fits this torch"
    )
    return makers, note


def torch_rows(weight: torch.Tensor, bits: int) -> Forward:
    """Return torch's lookup of quantised rows, each with its scale and bias."""
    names = {8: "byte", 4: "4bit", 2: "2bit"}
    pack = getattr(torch.ops.quantized, f"embedding_bag_{names[bits]}_prepack")
    read = getattr(torch.ops.quantized, f"embedding_bag_{names[bits]}_rowwise_offsets")
    packed = pack(weight)

    def forward(rows: torch.Tensor) -> torch.Tensor:
        offsets = torch.arange(rows.numel() + 1)
        return read(packed, rows.flatten(), offsets, include_last_offset=True)

    return forward


def fbgemm_rows(weight: torch.Tensor, bits: int) -> Forward:
    """Return FBGEMM's lookup of quantised rows on the CPU."""
    from fbgemm_gpu.split_embedding_configs import SparseType
    from fbgemm_gpu.split_table_batched_embeddings_ops_common import EmbeddingLocation
    from fbgemm_gpu.split_table_batched_embeddings_ops_inference import (
        IntNBitTableBatchedEmbeddingBagsCodegen,
    )

    kinds = {8: SparseType.INT8, 4: SparseType.INT4, 2: SparseType.INT2}
    bags = IntNBitTableBatchedEmbeddingBagsCodegen(
        [("table", *weight.shape, kinds[bits], EmbeddingLocation.HOST)],
        device="cpu",
        output_dtype=SparseType.FP32,
    )
    bags.fill_random_weights()

    def forward(rows: torch.Tensor) -> torch.Tensor:
        flat = rows.flatten().int()
        return bags(flat, torch.arange(len(flat) + 1, dtype=torch.int32))

    return forward


def few_bits_installed() -> tuple[dict[str, dict[str, Callable[[torch.Tensor], Forward]]], str]:
    """Return the lookups of few bits that can be loaded, by format and name, and a note.

    The note is about those that cannot; it is empty where all can.
    """
    makers, note = installed()
    rivals: dict[str, dict[str, Callable[[torch.Tensor], Forward]]] = {}
    for name, bits in (("int8", 8), ("int4", 4), ("int2", 2)):
        rivals[name] = {"torch.ops.quantized": partial(torch_rows, bits=bits)}
        if "FBGEMM TBE" in makers:
            rivals[name]["FBGEMM IntNBit"] = partial(fbgemm_rows, bits=bits)
    return rivals, note

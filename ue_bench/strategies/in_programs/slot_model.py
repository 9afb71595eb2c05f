"""A layer from slots on: tensors in and tensors out, for programs that trace, compile or export.

The hash of raw values is the input pipeline and stays in Python: ``layer.rows(values)``. What comes
behind it is a module as any other.
"""

import importlib.util
import os
import tempfile
import warnings
from pathlib import Path
from typing import Any, cast

import torch
from torch import Tensor, nn

from ue_bench.errors import BenchError
from ue_bench.strategies.bags import Members
from ue_bench.strategies.base import EmbeddingStrategy
from ue_bench.strategies.layers import UnifiedEmbedding
from ue_bench.strategies.located_rows import LocatedRows, require_rows
from ue_bench.whole_file import cannot_write, move, require_regular

_ONNX_PACKAGES = ("onnx", "onnxscript")
# Bytes of parameters and buffers up to which an ONNX program is one file: its format ends at 2 GB.
_ONE_FILE = 2**30
_NAMES = ("slots", "owner", "first", "weight")


class SlotModel(nn.Module):
    """The vectors of slots, and what a head makes of them.

    layer: of `UnifiedEmbedding`, `ue_bench.embedding` or `ue_bench.embedding_of`.
    head: a module that takes the vectors, float32 [B, W]; None: the vectors are the output.

    ``model(*model.inputs(rows))`` equals ``head(layer.from_rows(rows))``. Where training changes
    the index map (`cce`), export the model after training.

    Raises BenchError for a layer that is none of these.
    """

    def __init__(
        self, layer: EmbeddingStrategy | UnifiedEmbedding, head: nn.Module | None = None
    ) -> None:
        super().__init__()
        if not isinstance(layer, (EmbeddingStrategy, UnifiedEmbedding)):
            raise BenchError(
                f"SlotModel: {type(layer).__name__} was given; give a UnifiedEmbedding, or a layer "
                "of `ue_bench.embedding` or `ue_bench.embedding_of`"
            )
        self.layer = layer
        self.head = head

    def forward(
        self,
        slots: Tensor,
        owner: Tensor | None = None,
        first: Tensor | None = None,
        weight: Tensor | None = None,
    ) -> Tensor:
        """Return the vectors [B, W] of rows, or the output of the head.

        slots: int [B, L]. owner, first, weight: where some features are multi-valued, which of the
        slots [R, L] belong to which row, as in `bags.Members`.
        """
        vectors = self.layer.embed(slots)
        if owner is not None and first is not None and weight is not None:
            strategy = cast(EmbeddingStrategy, self.layer)  # the other layer has no bags
            vectors = strategy.averaged(vectors, Members(owner, first, weight))
        if self.head is None:
            return vectors
        output: Tensor = self.head(vectors)
        return output

    def inputs(self, rows: LocatedRows) -> tuple[Tensor, ...]:
        """Return the arguments of a call for rows that the layer located.

        Raises BenchError for anything else, and for rows of an earlier index map.
        """
        require_rows(rows, self.layer)
        if rows.spread is None:
            return (rows.slots,)
        return (rows.slots, *rows.spread.members)

    def dynamic_shapes(self, rows: LocatedRows) -> tuple[dict[int, Any], ...]:
        """Return which sizes of `inputs` may change, as `torch.export.export` takes them."""
        if rows.spread is None:
            return ({0: torch.export.Dim("rows")},)
        single = torch.export.Dim("single_values")
        return {0: single}, {0: single}, {0: torch.export.Dim("rows")}, {0: single}


def write_onnx(model: SlotModel, rows: LocatedRows, path: str | os.PathLike[str]) -> Path:
    """Write what is served to an ONNX file, for batches of any size. Returns the path.

    Its inputs are `slots`, and where some features are multi-valued `owner`, `first` and `weight`
    (`SlotModel.inputs`); its output is `output`. Numbers lie in a second file, PATH.data, where
    they take more than 1 GiB.

    rows: at least one located row, for the shapes. The packages onnx and onnxscript are needed
    (extra `onnx`).

    The files are written whole, last. Raises BenchError if one of the packages is not installed,
    for a model in training mode, for no row, for a path that cannot be written, for a release of
    torch that fixes the number of rows, and as `SlotModel.inputs` does.
    """
    _require_packages()
    path = Path(path)
    try:
        require_regular(path)  # before the work
    except OSError as error:
        raise cannot_write(path, error) from error
    if model.training:
        raise BenchError(
            "write_onnx: the model is in training mode; call model.eval(), and finish_training() "
            "of its layer, or pack(), where numbers are served in few bits"
        )
    if not len(model.inputs(rows)[0]):
        raise BenchError("write_onnx: no rows were given; give at least one that was located")
    example = rows[[0, 0]]  # exporters take a size of 1 for a constant
    n_bytes = sum(tensor.nbytes for tensor in model.state_dict().values())
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix=".onnx-", dir=path.parent) as temporary:
            written = Path(temporary, path.name)
            _export(model, example, written, separate=n_bytes > _ONE_FILE)
            _require_any_size(written)
            data = f"{path.name}.data"
            if Path(temporary, data).exists():
                move(Path(temporary, data), path.with_name(data))
            move(written, path)
    except OSError as error:
        raise cannot_write(path, error) from error
    return path


def _export(model: SlotModel, example: LocatedRows, path: Path, separate: bool) -> None:
    """Write an ONNX file. separate: whether the numbers have a file of their own."""
    inputs = model.inputs(example)
    with torch.no_grad(), warnings.catch_warnings():
        # the exporter warns of its own parts, and that sizes which are equal get one name
        warnings.simplefilter("ignore")
        torch.onnx.export(
            model,
            inputs,
            str(path),
            dynamo=True,
            dynamic_shapes=model.dynamic_shapes(example),
            input_names=list(_NAMES[: len(inputs)]),
            output_names=["output"],
            external_data=separate,
            verbose=False,
        )


def _require_any_size(path: Path) -> None:
    """Raise BenchError for a program whose inputs have the number of rows of the example.

    The exporter of torch 2.5 makes one where some features are multi-valued, and says nothing.
    """
    import onnx

    program = onnx.load(str(path), load_external_data=False)
    fixed = []
    for given in program.graph.input:
        if not given.type.tensor_type.shape.dim[0].dim_param:
            fixed.append(given.name)
    if fixed:
        raise BenchError(
            f"write_onnx: torch {torch.__version__} fixes the size of {', '.join(fixed)}; "
            "install a newer one"
        )


def _require_packages() -> None:
    absent = [name for name in _ONNX_PACKAGES if importlib.util.find_spec(name) is None]
    if absent:
        raise BenchError(
            f"write_onnx: {' and '.join(absent)} cannot be imported; "
            "install the extra: pip install 'ue-bench[onnx]'"
        )

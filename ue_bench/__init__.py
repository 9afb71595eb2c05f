"""A benchmark and ablation harness for embedding-table strategies in recommenders."""

from typing import TYPE_CHECKING, Any

from ue_bench.version import __version__

if TYPE_CHECKING:
    from ue_bench.advise.advice import advice
    from ue_bench.advise.ranked import rank
    from ue_bench.categories import Rule
    from ue_bench.config import RunConfig
    from ue_bench.data.table.frame_texts import rules_of
    from ue_bench.record import Record
    from ue_bench.record.frame import records
    from ue_bench.report.compared import compare
    from ue_bench.strategies.in_programs.conversion import convert
    from ue_bench.strategies.in_programs.frame_batches import Collate, FrameDataset
    from ue_bench.strategies.in_programs.sequences import SequenceEmbedding
    from ue_bench.strategies.in_programs.slot_model import SlotModel, write_onnx
    from ue_bench.strategies.in_programs.torchrec_bags import HashedBagCollection
    from ue_bench.strategies.layers import UnifiedEmbedding, embedding
    from ue_bench.study.make import run_study
    from ue_bench.training.raw_texts import texts
    from ue_bench.training.run_once import embedding_of, run_once
    from ue_bench.training.saved import load
    from ue_bench.training.saved import save_again as save

__all__ = [
    "Collate",
    "FrameDataset",
    "HashedBagCollection",
    "Record",
    "Rule",
    "RunConfig",
    "SequenceEmbedding",
    "SlotModel",
    "UnifiedEmbedding",
    "__version__",
    "advice",
    "compare",
    "convert",
    "embedding",
    "embedding_of",
    "load",
    "rank",
    "records",
    "rules_of",
    "run_once",
    "run_study",
    "save",
    "texts",
    "write_onnx",
]
_HOMES = {
    "Collate": "strategies.in_programs.frame_batches",
    "FrameDataset": "strategies.in_programs.frame_batches",
    "HashedBagCollection": "strategies.in_programs.torchrec_bags",
    "Record": "record",
    "Rule": "categories",
    "RunConfig": "config",
    "SequenceEmbedding": "strategies.in_programs.sequences",
    "SlotModel": "strategies.in_programs.slot_model",
    "UnifiedEmbedding": "strategies.layers",
    "advice": "advise.advice",
    "compare": "report.compared",
    "convert": "strategies.in_programs.conversion",
    "embedding": "strategies.layers",
    "embedding_of": "training.run_once",
    "load": "training.saved",
    "rank": "advise.ranked",
    "records": "record.frame",
    "rules_of": "data.table.frame_texts",
    "run_once": "training.run_once",
    "run_study": "study.make",
    "save": "training.saved:save_again",
    "texts": "training.raw_texts",
    "write_onnx": "strategies.in_programs.slot_model",
}


def __getattr__(name: str) -> Any:
    """Import a public name when it is first used: `ue-bench --help` must not wait for torch."""
    if name not in _HOMES:
        raise AttributeError(f"module 'ue_bench' has no attribute {name!r}")
    from importlib import import_module

    module, _, own_name = _HOMES[name].partition(":")
    return getattr(import_module(f"ue_bench.{module}"), own_name or name)


def __dir__() -> list[str]:
    """Name what `__getattr__` imports, too."""
    return sorted({*globals(), *__all__})

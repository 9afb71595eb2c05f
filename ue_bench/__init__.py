"""A benchmark and ablation harness for embedding-table strategies in recommenders."""

from typing import TYPE_CHECKING, Any

from ue_bench.version import __version__

if TYPE_CHECKING:
    from ue_bench.config import RunConfig
    from ue_bench.layer import UnifiedEmbedding
    from ue_bench.record import Record
    from ue_bench.run import embedding_of, run_once
    from ue_bench.saved import load
    from ue_bench.strategies.standalone import embedding

__all__ = ["Record", "RunConfig", "UnifiedEmbedding", "__version__", "embedding", "embedding_of", "load", "run_once"]
_HOMES = {
    "Record": "record",
    "RunConfig": "config",
    "UnifiedEmbedding": "layer",
    "embedding": "strategies.standalone",
    "embedding_of": "run",
    "load": "saved",
    "run_once": "run",
}


def __getattr__(name: str) -> Any:
    """Import a public name when it is first used: `ue-bench --help` must not wait for torch."""
    if name not in _HOMES:
        raise AttributeError(f"module 'ue_bench' has no attribute {name!r}")
    from importlib import import_module

    return getattr(import_module(f"ue_bench.{_HOMES[name]}"), name)

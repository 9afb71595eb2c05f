"""What a run is: its fields, and the grammar of lookups."""

from ue_bench.config.run_config import CHOICES, SEEDS, RunConfig

__all__ = ["CHOICES", "SEEDS", "RunConfig"]

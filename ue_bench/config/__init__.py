"""What a run is: its fields, and the grammar of lookups."""

from ue_bench.config.run_config import CHOICES, MAY_DIFFER, SEEDS, SETTINGS, RunConfig

__all__ = ["CHOICES", "MAY_DIFFER", "SEEDS", "SETTINGS", "RunConfig"]

"""What a run is: its fields, and the grammar of lookups."""

from ue_bench.config.run_config import CHOICES, GIVE_UP, MAY_DIFFER, SEEDS, SETTINGS, RunConfig

__all__ = ["CHOICES", "GIVE_UP", "MAY_DIFFER", "SEEDS", "SETTINGS", "RunConfig"]

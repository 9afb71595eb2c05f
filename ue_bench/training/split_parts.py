"""The parts of a split, by the names that records use."""

from ue_bench.data.splitting import TEST, TRAIN, VALIDATION

PARTS = {"train": TRAIN, "val": VALIDATION, "test": TEST}

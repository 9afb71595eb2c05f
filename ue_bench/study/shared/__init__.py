"""A study on many machines: workers that share nothing but an Optuna storage, and no coordinator.

Any worker may be ended at any time. What holds the study together is the order of Optuna's trials: the storage numbers them one
by one, and what a trial stands for follows from the trials with lower numbers, which every worker sees alike.
"""

from ue_bench.study.shared.executor import SharedRunner
from ue_bench.study.shared.pull import pull
from ue_bench.study.shared.storage import Storage

__all__ = ["SharedRunner", "Storage", "pull"]

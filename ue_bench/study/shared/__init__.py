"""A study on many machines: workers that share an Optuna storage and nothing else.

There is no coordinator, and any worker may end at any time. The order of Optuna's trials holds the
study together: the storage numbers them one by one, and what a trial stands for follows from the
trials with lower numbers, which every worker sees alike.
"""

from ue_bench.study.shared.pull import pull
from ue_bench.study.shared.shared_executor import SharedExecutor
from ue_bench.study.shared.storage import Storage

__all__ = ["SharedExecutor", "Storage", "pull"]

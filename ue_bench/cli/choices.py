"""Names that can be chosen, for the shell's completion, from lists that load nothing heavy."""

from collections.abc import Callable

from ue_bench.speed.cases import CASES
from ue_bench.strategies import ANCHORS, strategy_names
from ue_bench.study import names as studies


def datasets() -> list[str]:
    from ue_bench.data import DATASETS

    return sorted(DATASETS)


def strategies() -> list[str]:
    """What a run may name as its strategy, the anchors last."""
    return [*strategy_names(), *ANCHORS]


def cases() -> list[str]:
    """The cases of `ue-bench speed`."""
    return sorted(CASES)


LISTS: dict[str, Callable[[], list[str]]] = {
    "strategy": strategies,
    "dataset": datasets,
    "study": studies,
    "case": cases,
    "features": lambda: ["base", "wide"],
    "listing": lambda: ["datasets", "strategies", "studies"],
}

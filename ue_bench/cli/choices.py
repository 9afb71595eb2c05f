"""Names that can be chosen, for the shell's completion, from lists that load nothing heavy."""

from collections.abc import Callable

from ue_bench.speed.cases import CASES
from ue_bench.strategies import strategy_names
from ue_bench.study import names as studies


def datasets() -> list[str]:
    from ue_bench.data import DATASETS

    return sorted(DATASETS)


def cases() -> list[str]:
    """The cases of `ue-bench speed`."""
    return sorted(CASES)


LISTS: dict[str, Callable[[], list[str]]] = {
    "strategy": strategy_names,
    "dataset": datasets,
    "study": studies,
    "case": cases,
    "features": lambda: ["base", "wide"],
    "listing": lambda: ["datasets", "strategies", "studies"],
}

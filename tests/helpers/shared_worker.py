"""``python shared_worker.py ARGUMENTS`` is ``ue-bench ARGUMENTS`` with the studies below."""

from dataclasses import replace

from ue_bench.config import RunConfig
from ue_bench.study import Grid, Search, Study

FAST = RunConfig(lr=1e-3, epochs=40, patience=None, dim=4)
ARMS = replace(FAST, strategy="collisionless"), replace(FAST, strategy="per_feature")
SEARCH = Search(
    FAST,
    {"lr": (1e-3, 4e-3, 1e-2)},
    trials=3,
    compression=2,
    against=(FAST,),
    best=1,
    seeds=1,
    trial_seeds=1,
)
STUDIES = {
    "tiny": Study("do tiny tables differ?", (Grid(ARMS, (2,), seeds=3), SEARCH)),
}


def find(name: str) -> Study:
    return STUDIES[name]


def find_quiet(name: str) -> Study:
    """Return the study without its latency, which takes most of the time."""
    return replace(STUDIES[name], latency=False)


if __name__ == "__main__":
    import ue_bench.study

    ue_bench.study.find = find
    from ue_bench.cli import main

    main()

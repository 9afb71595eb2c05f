"""Does training by the rows of a batch reach the MSE of training the whole table?

Command: ue-bench study optimizer_path --workers 2
Cost: 40 runs; with --quick four.
Expect: the same MSE within the noise. On the sparse path, a row that is read again catches up with
the steps it was not in. Without that, as in torch's SparseAdam (`--optimizer sparse_adam`), `wide`
would be worse by 0.008.

The default path is dense up to 1.5 million numbers of a table, so that this study names both.

`wide` is a stress of rare values and carries no headline.
"""

from dataclasses import replace

from ue_bench.studies.table_size import BASE, WIDE

from ue_bench.config import RunConfig
from ue_bench.study import Grid, Study


def arms(exact: RunConfig) -> tuple[RunConfig, ...]:
    """One shared table as large as the exact one, on each path."""
    shared = replace(exact, strategy="unified")
    return (
        replace(shared, optimizer_path="dense"),
        replace(shared, optimizer_path="sparse"),
    )


STUDY = Study(
    question="does training by the rows of a batch reach the MSE of training the whole table?",
    parts=(Grid(arms(BASE), (1,)), Grid(arms(WIDE), (1,))),
    quick=(Grid(arms(BASE), (1,), seeds=2),),
    latency=False,
)

"""Does training by the rows of a batch reach the MSE of training the whole table?

Command: ue-bench study optimizer_path --workers 2
Cost: 20 runs, half a minute on 2 cores.
Expect: the same MSE within the noise: on the sparse path a row catches up with the steps it was not in when it is read again.
Were it left alone, as torch's SparseAdam does (`--optimizer sparse_adam`), `wide` would be worse by 0.008. The default path is
dense up to 1.5 million numbers of a table, so that here both are asked for.
"""

from dataclasses import replace

from ue_bench.studies.table_size import BASE, WIDE

from ue_bench.config import RunConfig
from ue_bench.study import Grid, Study


def arms(exact: RunConfig) -> tuple[RunConfig, ...]:
    """One shared table as large as the exact one, on each path."""
    return tuple(
        replace(exact, strategy="unified", optimizer_path=path) for path in ("dense", "sparse")
    )


STUDY = Study(
    question="does training by the rows of a batch reach the MSE of training the whole table?",
    parts=(Grid(arms(BASE), (1,)), Grid(arms(WIDE), (1,))),
    latency=False,
)

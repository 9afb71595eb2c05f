"""How should categorical features be embedded in a given memory: one shared table, a table each, or an exact one?

Command: make bench
Cost: 300 runs, about 7 minutes on 2 cores.
Expect: what `table_size` and `lookup_allocation` find, at three table sizes each and with a short search.
"""

from ue_bench.studies.lookup_allocation import WIDE as WIDE_WIDTH
from ue_bench.studies.lookup_allocation import WIDE_SPACE, against
from ue_bench.studies.table_size import BASE, WIDE, arms

from ue_bench.study import Grid, Search, Study

STUDY = Study(
    question="how should categorical features be embedded in a given memory: one shared table, a table each, or an exact one?",
    parts=(
        Grid(arms(BASE), (32, 8, 2)),
        Grid(arms(WIDE), (512, 128, 32)),
        Search(WIDE_WIDTH, WIDE_SPACE, trials=16, compression=128, against=against(WIDE_WIDTH)),
    ),
)

"""Which strategy, table size, dim and lookups for this data and this memory: candidates, rounds of runs, and the answer.

`question` is what is asked, `sizes` what fits, `candidates` what is tried, `rounds` what is run (`runs`, within the time of
`clock`), `answer` what the records say of it, `lines` the Python that builds the layer, and `text` how it is told.
"""

from ue_bench.advise.ask import advise
from ue_bench.advise.question import Question
from ue_bench.advise.text import told

__all__ = ["Question", "advise", "told"]

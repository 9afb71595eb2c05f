"""All rows of a question whose runs use a part of them: what a table on the part stands for there.

A configuration on a part has a budget in proportion to the part's distinct values, so that as many
values share a row of its table (the load). Here it is sized to all values again.
"""

from dataclasses import replace

from ue_bench.advise.question import Question
from ue_bench.advise.sizes import Footprints, Sizes, Small
from ue_bench.config import RunConfig
from ue_bench.training.all_rows import all_rows
from ue_bench.training.assembly import has_budget


class WholeData:
    """All rows of a question.

    rows: what is known of them. footprints: the bytes of configurations on them.
    """

    def __init__(self, question: Question) -> None:
        self.memory = question.memory
        self.rows = all_rows(question.base, question.data_dir)
        self.footprints = Footprints(question.memory, self.rows.features, self.rows.entities)

    def share(self, sizes: Sizes) -> float:
        """Return the distinct values of a part of the rows, as a share of all."""
        return sizes.n_values / self.footprints.n_values

    def of(self, config: RunConfig, sizes: Sizes) -> RunConfig | None:
        """Return what a configuration on a part of the rows is on all of them.

        sizes: of the part. None: it cannot work there.
        """
        plain = replace(config, rows_fraction=1.0, budget=None)
        if not has_budget(config) or config.budget is None:
            return plain
        on_part = config.budget + sizes.vocabulary_of(config)
        memory = min(self.memory, round(on_part / self.share(sizes)))
        sized = self.footprints.fit(plain, memory)
        if isinstance(sized, Small):
            return None
        return sized.config

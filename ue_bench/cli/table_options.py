"""The options that say which rows a command reads and what they mean, declared once for all
commands that read a table.
"""

from typing import Any

from ue_bench.cli.group import shared
from ue_bench.cli.options import some_options

# Options that define a table, besides its features.
TABLE = ("target", "time", "numeric", "entities", "positive", "test_files")
# Fields of a run that belong to the data as much as its columns do.
FIELDS = ("task", "negative_at_most", "positive_at_least", "multi_valued")


def data_options(command: Any) -> Any:
    """Add the options of a table, its features among them, and what its rows mean to a run."""
    return shared("columns", *TABLE)(some_options(*FIELDS)(command))

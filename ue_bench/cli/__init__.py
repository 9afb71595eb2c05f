"""The command line: parses, calls, prints. A command imports what is heavy when it is called."""

from ue_bench.cli import (  # each module adds its command to `main`
    advise_command,
    check_command,
    check_strategy_command,
    compare_command,
    completion_command,
    data_command,
    list_command,
    merge_command,
    pack_command,
    rank_command,
    report_command,
    run_command,
    speed_command,
    study_command,
)
from ue_bench.cli.group import main

__all__ = [
    "advise_command",
    "check_command",
    "check_strategy_command",
    "compare_command",
    "completion_command",
    "data_command",
    "list_command",
    "main",
    "merge_command",
    "pack_command",
    "rank_command",
    "report_command",
    "run_command",
    "speed_command",
    "study_command",
]

"""The command line: parses, calls, prints. Everything heavy is imported by the command that needs it."""

from ue_bench.cli import (  # each adds its commands to `main`
    advise,
    completion,
    listing,
    results,
    run,
    speed,
    study,
)
from ue_bench.cli.group import main

__all__ = ["advise", "completion", "listing", "main", "results", "run", "speed", "study"]

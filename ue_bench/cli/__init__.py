"""The command line: parses, calls, prints. Everything heavy is imported by the command that needs it."""

from ue_bench.cli import advise, completion, listing, results, run, speed, study  # each adds its commands to `main`
from ue_bench.cli.group import main

completion.know_values()  # of all the commands

__all__ = ["advise", "completion", "listing", "main", "results", "run", "speed", "study"]

"""The option `--protocol` of the commands that make runs, and what it says of the split."""

from typing import Any

import click

from ue_bench.cli.names import Name
from ue_bench.config.stream_split import STREAM
from ue_bench.errors import BenchError

PROTOCOL = click.option(
    "--protocol",
    type=Name(values=("static", STREAM)),
    default=None,
    help="stream: the same as --split stream.  [default: static]",
)


def follow_protocol(protocol: str | None, asked: dict[str, Any]) -> None:
    """Let the protocol choose the split. Raises BenchError where both were given and differ."""
    if protocol is None:
        return
    split = asked.get("split")
    if protocol == STREAM and split is None:
        asked["split"] = STREAM
    elif (split == STREAM) != (protocol == STREAM):  # no split is a static one
        raise BenchError(
            f"--protocol {protocol} and --split {split} were given; leave one of them out"
        )

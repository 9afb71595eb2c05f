"""`--json` prints JSON alone: what the code of others prints meanwhile goes to standard error."""

import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import wraps
from typing import Any

from ue_bench.plugins import send_prints_to_stderr


class _Output:
    """Standard output, which may be put aside."""

    def __init__(self) -> None:
        self._text = sys.stdout
        self._file: int | None = None  # standard output itself, while it is aside

    def put_aside(self) -> None:
        self._text = sys.stdout
        try:
            self._file = os.dup(1)
        except OSError:  # it is closed
            return
        send_prints_to_stderr()

    def put_back(self) -> None:
        if self._file is None:
            return
        os.dup2(self._file, 1)
        os.close(self._file)
        self._file = None
        sys.stdout = self._text


_aside: list[_Output] = []  # of the command that runs: one or none


def json_alone(command: Callable[..., Any]) -> Callable[..., Any]:
    """Put standard output aside while a command runs with `as_json`, but for `standard_output`."""

    @wraps(command)
    def run(*, as_json: bool, **given: Any) -> Any:
        if not as_json:
            return command(as_json=as_json, **given)
        output = _Output()
        output.put_aside()
        _aside.append(output)
        try:
            return command(as_json=as_json, **given)
        finally:
            _aside.remove(output)
            output.put_back()

    return run


@contextmanager
def standard_output() -> Iterator[None]:
    """Let what is printed within the ``with`` block reach standard output."""
    for output in _aside:
        output.put_back()
    try:
        yield
    finally:
        for output in _aside:
            output.put_aside()

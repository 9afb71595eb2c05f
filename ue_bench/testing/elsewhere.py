"""Another Python process, which says where a strategy looks values up and leaves nothing behind."""

import atexit
import os
import signal
import socket
import subprocess
import sys
from contextlib import suppress

from ue_bench import safe_path

# An answer takes a tenth of a second. A machine that is busy with much else gives it in a minute.
MOST_SECONDS = 60.0

# Each answer comes from a fork, which has torch, but no plug-in or thread of earlier answers. A
# fork may hang, so that the process itself looks once a second whether its parent still lives.
# Answers have a file of their own: what a plug-in prints is none.
_PROGRAM = """
import os, signal, sys
parent = os.getppid()
def look(number, frame):
    if os.getppid() != parent:
        os.killpg(0, signal.SIGKILL)
import json
from pathlib import Path
from ue_bench.plugins import send_prints_to_stderr
from ue_bench.strategies import load_plugin
from ue_bench.testing.contract import StrategyContract, _slots
requests, answers = open(os.dup(0)), open(os.dup(1), "w")
os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
send_prints_to_stderr()
signal.signal(signal.SIGALRM, look)
signal.setitimer(signal.ITIMER_REAL, 1, 1)
print("ready", file=answers, flush=True)
for line in requests:
    child = os.fork()  # has no timer
    if child:
        os.waitpid(child, 0)
        print(file=answers, flush=True)
        continue
    signal.signal(signal.SIGALRM, signal.SIG_DFL)
    attributes = json.loads(line)
    plugin = attributes.pop("plugin")
    if plugin:
        load_plugin(Path(plugin))
    built = type("Elsewhere", (StrategyContract,), attributes)().build()
    answers.write(json.dumps(_slots(built)))
    answers.flush()
    os._exit(0)
"""


class _Process:
    """The process, in a session of its own, and the socket that it reads and writes lines on."""

    def __init__(self) -> None:
        self._socket, theirs = socket.socketpair()
        with theirs:
            self._process = subprocess.Popen(  # nosec B603 # a list, no shell
                [sys.executable, "-c", _PROGRAM],
                stdin=theirs.fileno(),
                stdout=theirs.fileno(),
                env=safe_path.environment(),
                start_new_session=True,  # a group of its own, that its forks are ended with
            )
        self._rest = b""  # what has come of the next line
        self._is_ready = False

    def answer(self, line: str) -> str:
        if not self._is_ready:  # no code of others has run, so that it may take any time
            self._line(None)
            self._is_ready = True
        self._socket.sendall(f"{line}\n".encode())
        return self._line(MOST_SECONDS)

    def end(self) -> None:
        with suppress(ProcessLookupError, PermissionError):  # macOS refuses it for what has ended
            os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()
        self._socket.close()

    def _line(self, seconds: float | None) -> str:
        self._socket.settimeout(seconds)
        while b"\n" not in self._rest:
            more = self._socket.recv(2**16)
            if not more:
                raise ConnectionError("the other process has ended")
            self._rest += more
        line, self._rest = self._rest.split(b"\n", 1)
        return line.decode()


# By the process that started it: a fork of that one starts its own.
_started: dict[int, _Process] = {}


def ask(line: str) -> str:
    """Return what another process answers to a line of JSON, which describes a strategy.

    It is the JSON of the strategy's slots, and empty after an error. The process lives as long as
    this one, so that it loads torch only once. Raises TimeoutError after `MOST_SECONDS`.
    """
    own = os.getpid()
    if own not in _started:
        _started[own] = _Process()
    try:
        return _started[own].answer(line)
    except BaseException:  # Ctrl-C too: the answer is still to come, and would be that to the next
        end()
        raise


def end() -> None:
    """End the process that this one has started, with its forks."""
    process = _started.pop(os.getpid(), None)
    if process is not None:
        process.end()


atexit.register(end)

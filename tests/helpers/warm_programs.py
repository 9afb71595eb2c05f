"""`ue-bench` and `python -c` as programs that start at once, for shells and for `subprocess`.

A server has loaded the package and the libraries that its commands use. For each program it forks a
process, which takes the arguments, the folder, the environment and the three streams of whoever
started it, and ends with the program's exit code. This saves the loading of libraries (two to four
seconds a program) and nothing else.
"""

import atexit
import importlib
import json
import os
import pkgutil
import socket
import subprocess
import sys
import tempfile
import threading
import traceback
import types
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import ue_bench

NAMES = ("ue-bench", "python")
MOST_BYTES = 100_000  # of a request, which is one message
CLIENT = """#!{python} -IS
import json, os, socket, sys
request = {{"words": sys.argv, "folder": os.getcwd(), "environment": dict(os.environ)}}
with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as server:
    server.connect({address!r})
    socket.send_fds(server, [json.dumps(request).encode()], [0, 1, 2])
    code = server.recv(8)
sys.exit(int(code) if code else "the process of this program was killed")
"""


@contextmanager
def warm_programs() -> Iterator[Path]:
    """Yield a folder with the programs, which is put before others on PATH."""
    with tempfile.TemporaryDirectory(prefix="ue-") as name:  # short, as a socket's path must be
        folder = Path(name)
        address = str(folder / "socket")
        for program in NAMES:
            path = folder / program
            path.write_text(CLIENT.format(python=sys.executable, address=address))
            path.chmod(0o755)
        code = f"import warm_programs; warm_programs.serve({address!r})"
        environment = os.environ | {"PYTHONPATH": str(Path(__file__).parent)}
        server = subprocess.Popen(
            [sys.executable, "-c", code],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            text=True,
            env=environment,
        )
        assert server.stdout is not None
        try:
            assert server.stdout.readline() == "ready\n"
            yield folder
        finally:
            server.kill()
            server.communicate()


def serve(address: str) -> None:
    """Start a process for each request, until this one is killed."""
    _load()
    with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as listening:
        listening.bind(address)
        listening.listen()
        print("ready", flush=True)
        while True:
            client, _ = listening.accept()
            message, streams, *_ = socket.recv_fds(client, MOST_BYTES, 3)
            if not os.fork():
                listening.close()
                _become(json.loads(message), streams, client)
            for stream in (*streams, client.detach()):
                os.close(stream)
            _reap()


def _load() -> None:
    """Import what programs use. Nothing is computed: a thread would not survive the fork."""
    for name in ("matplotlib.pyplot", "seaborn", "sklearn.ensemble", "statsmodels.api"):
        importlib.import_module(name)
    for module in pkgutil.walk_packages(ue_bench.__path__, "ue_bench."):
        if not module.name.endswith("__main__"):
            importlib.import_module(module.name)


def _reap() -> None:
    """Let the processes go that have ended."""
    try:
        while os.waitpid(-1, os.WNOHANG)[0]:
            pass
    except ChildProcessError:
        pass


def _become(request: dict[str, Any], streams: list[int], client: socket.socket) -> None:
    """Be the program in a forked process, and end."""
    for number, stream in enumerate(streams):
        os.dup2(stream, number)
        os.close(stream)
    os.chdir(request["folder"])
    os.environ.clear()
    os.environ.update(request["environment"])
    program, *arguments = request["words"]
    try:
        code = _run(Path(program).name, arguments)
        threading._shutdown()
        atexit._run_exitfuncs()
        sys.stdout.flush()
        sys.stderr.flush()
    except BaseException:
        traceback.print_exc()
        code = 1
    client.send(str(code).encode())
    os._exit(code)


def _run(program: str, arguments: list[str]) -> int:
    """Run a program as its own process does, and return its exit code."""
    sys.path.remove(str(Path(__file__).parent))
    try:
        if program == "ue-bench":
            from ue_bench.cli import main

            sys.argv = [program, *arguments]
            sys.path[0] = str(Path(sys.executable).parent)
            main()
        else:
            option, text = arguments
            assert option == "-c", f"python {option} has no warm start"
            sys.argv = ["-c"]
            sys.path[0] = ""
            module = types.ModuleType("__main__")
            sys.modules["__main__"] = module
            exec(compile(text, "<string>", "exec"), vars(module))
    except SystemExit as ended:
        if ended.code is None or isinstance(ended.code, int):
            return ended.code or 0
        print(ended.code, file=sys.stderr)
        return 1
    return 0

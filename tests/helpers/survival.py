"""Real `ue-bench study` processes that tests kill, starve and hinder, cheap enough for hundreds.

`serve` runs in a process that has loaded everything, and forks one process for each command. The
processes of the runs come from one forkserver that all commands share. This saves the loading of
torch and nothing else: each command is a process with the program's own entry, arguments, signals
and exit code.
"""

import ctypes
import errno
import json
import os
import resource
import shutil
import subprocess
import sys
import time
import traceback
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from ue_bench.config import RunConfig
from ue_bench.study import Grid, Search, Study

FAST = RunConfig(epochs=2, patience=None, dim=4)
ARMS = replace(FAST, strategy="collisionless"), replace(FAST, strategy="per_feature")
GRID = Grid(ARMS, (2,), seeds=2)
SPACE = {"lookups.user_id": (1, 2, 3), "lookups.movie_id": (1, 2, 3)}
SEARCH = Search(
    FAST, SPACE, trials=3, compression=2, against=(FAST,), best=1, seeds=1, trial_seeds=1
)
ODD = replace(FAST, budget=1000)
DEADLY = replace(ODD, strategy="dies_at_times", options={"which": 2})
STUDIES = {
    "tiny": Study("does it survive?", (GRID, SEARCH), latency=False),
    "grid": Study("does it survive?", (GRID,), latency=False),
    "endless": Study(
        "how long?", (Grid((ODD, replace(ODD, epochs=10**6)), seeds=1),), latency=False
    ),
    "hangs": Study(
        "who hangs?", (Grid((replace(ODD, strategy="hangs"), ODD), seeds=2),), latency=False
    ),
    "dies": Study(
        "who dies?", (Grid((replace(ODD, strategy="dies"), ODD), seeds=1),), latency=False
    ),
    "dies_at_times": Study(
        "who dies?",
        (
            Search(
                DEADLY,
                {"options.which": (0, 1, 2, 3)},
                trials=2,
                best=1,
                seeds=1,
                trial_seeds=1,
            ),
        ),
        latency=False,
    ),
    "huge": Study(
        "who is too big?", (Grid((replace(ODD, budget=10**15), ODD), seeds=1),), latency=False
    ),
    "thousand": Study(
        "does it leak?",
        (
            Search(
                ODD,
                {"low_cardinality_max": tuple(range(10**4))},
                trials=1000,
                best=1,
                seeds=1,
                trial_seeds=1,
            ),
        ),
        latency=False,
    ),
}
PLUGIN = Path(__file__).with_name("odd_strategies.py")
OF_PLUGIN = ("hangs", "dies", "dies_at_times")  # studies with strategies of the plug-in


# ---- the process that forks commands


def serve() -> None:
    """Answer requests to start a command or to wait for its end, each a line of JSON."""
    from multiprocessing import forkserver

    import optuna

    import ue_bench.cli
    import ue_bench.report.evidence.arms
    import ue_bench.report.evidence.power
    import ue_bench.study
    import ue_bench.study.local_executor

    optuna.create_study()  # loads the modules that Optuna loads late
    os.environ["POLARS_MAX_THREADS"] = "1"
    forkserver.set_forkserver_preload(["ue_bench.training.preload"])
    forkserver.ensure_running()
    server = forkserver._forkserver
    print(json.dumps({"forkserver": server._forkserver_pid}), flush=True)
    # A command must not ask whether the forkserver lives, because it is the child of this process.
    server.ensure_running = lambda: None
    forkserver.ensure_running = lambda: None
    ue_bench.study.find = lambda name: STUDIES[name]
    for line in sys.stdin:
        request = json.loads(line)
        if "wait" in request:
            answer = {"code": os.waitstatus_to_exitcode(os.waitpid(request["wait"], 0)[1])}
        else:
            answer = {"pid": os.fork()}
            if not answer["pid"]:
                _command(request)
        print(json.dumps(answer), flush=True)
    os.close(server._forkserver_alive_fd)
    os.waitpid(server._forkserver_pid, 0)


def _command(request: dict[str, Any]) -> None:
    """Become the command in a forked process, and end."""
    os.setpgid(0, 0)
    for number, path in ((0, os.devnull), (1, request["out"]), (2, request["err"])):
        os.dup2(os.open(path, os.O_RDWR | os.O_CREAT | os.O_TRUNC), number)
    if "size" in request:  # bytes of a file that it writes, and not of the processes of its runs
        resource.setrlimit(resource.RLIMIT_FSIZE, (request["size"],) * 2)
    shim = ctypes.CDLL(None)
    if "arm" in request:
        folder, n, full = request["arm"]
        shim.survival_arm(folder.encode(), ctypes.c_long(n), full)
    if "no_space_after" in request:
        _fill_disk(request["no_space_after"])
    from ue_bench.cli import main

    sys.argv = ["ue-bench", *request["arguments"]]
    code = 0
    try:
        main()
    except SystemExit as ended:
        code = ended.code if isinstance(ended.code, int) else 1
    except BaseException:
        traceback.print_exc()
        code = 1
    sys.stdout.flush()
    sys.stderr.flush()
    if "arm" in request:
        Path(request["err"]).with_suffix(".seen").write_text(str(shim.survival_seen()))
    os._exit(code)


def _fill_disk(after: int) -> None:
    """Make the disk full after some calls of `fsync`.

    The error comes when data are forced to the disk, as on file systems that allocate late.
    """
    real, calls = os.fsync, iter(range(10**9))

    def fsync(fd: int) -> None:
        if next(calls) >= after:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        real(fd)

    os.fsync = fsync


# ---- what the tests use


@dataclass(frozen=True)
class Command:
    """A command that runs or has ended."""

    pid: int
    owner: "Commands"
    out: Path
    err: Path

    def kill(self, number: int) -> None:
        os.kill(self.pid, number)

    def wait(self) -> int:
        """Return the exit code, negative for a signal."""
        return self.owner.ask({"wait": self.pid})["code"]

    def told(self) -> list[str]:
        """Return the lines that the command wrote to standard error."""
        return self.err.read_text().splitlines()

    @property
    def seen(self) -> int:
        """How many operations on files it made in its folder, if it was armed and has ended."""
        return int(self.err.with_suffix(".seen").read_text())


class Commands:
    """Starts commands."""

    def __init__(self, folder: Path, data: Path) -> None:
        self.folder, self.data, self.n = folder, data, 0
        self.armed = shutil.which("gcc") is not None and sys.platform == "linux"
        environment = os.environ | {"PYTHONPATH": str(Path(__file__).parent)}
        if self.armed:
            shim = folder / "shim.so"
            source = Path(__file__).with_name("survival_shim.c")
            subprocess.run(
                ["gcc", "-shared", "-fPIC", "-O1", "-o", shim, source, "-ldl"], check=True
            )
            environment["LD_PRELOAD"] = str(shim)
        self.server = subprocess.Popen(
            [sys.executable, "-c", "import survival; survival.serve()"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env=environment,
        )
        self.forkserver = self.answer()["forkserver"]

    def close(self) -> None:
        self.server.communicate()
        assert self.server.returncode == 0

    def answer(self) -> dict[str, Any]:
        assert self.server.stdout is not None
        return json.loads(self.server.stdout.readline())

    def ask(self, request: dict[str, Any]) -> dict[str, Any]:
        assert self.server.stdin is not None
        self.server.stdin.write(json.dumps(request) + "\n")
        self.server.stdin.flush()
        return self.answer()

    def start(self, study: str, results: Path, *options: object, **how: Any) -> Command:
        self.n += 1
        out, err = self.folder / f"{self.n}.out", self.folder / f"{self.n}.err"
        arguments = [
            "study",
            study,
            "--results",
            results,
            "--data-dir",
            self.data,
            *(("--plugin", PLUGIN) if study in OF_PLUGIN else ()),
            *options,
        ]
        pid = self.ask(
            {"arguments": list(map(str, arguments)), "out": str(out), "err": str(err), **how}
        )["pid"]
        return Command(pid, self, out, err)

    def run(self, study: str, results: Path, *options: object, **how: Any) -> tuple[int, list[str]]:
        """Return the exit code of a command and its lines on standard error."""
        command = self.start(study, results, *options, **how)
        return command.wait(), command.told()

    def runs(self) -> list[int]:
        """Return the processes of all runs that are under way, of any command."""
        return children(self.forkserver)

    def require_no_strays(self) -> None:
        wait_for(lambda: not self.runs())


def children(pid: int) -> list[int]:
    return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def wait_for(what: Callable[[], object], seconds: float = 300) -> None:
    until = time.monotonic() + seconds
    while not what():
        assert time.monotonic() < until, "waited in vain"
        time.sleep(0.01)


TIMED = ("train_seconds", "peak_training_bytes", "peak_training_source", "latency", "step_ms")


def records(results: Path) -> dict[str, dict[str, Any]]:
    """Return the content of the records by path, without timings, measured memory and machine.

    Every file must be a record.
    """
    from ue_bench.record import load

    found, skipped = load(results)
    assert skipped == []
    told = {}
    for record in found:
        content = asdict(record)
        del content["env"]
        for name in TIMED:
            content["cost"].pop(name, None)
        told[f"{record.study}/{record.run_id}"] = content
    return told


def litter(results: Path) -> list[str]:
    """Return the files that are no record."""
    return [str(path) for path in results.rglob("*") if path.is_file() and path.suffix != ".json"]


@dataclass(frozen=True)
class Undisturbed:
    """The study `tiny` when nothing goes wrong."""

    results: Path
    records: dict[str, dict[str, Any]]
    seconds: float
    operations: int  # writes, renames and so on in its folder; 0: not counted

    @classmethod
    def of(cls, commands: Commands, results: Path) -> "Undisturbed":
        started = time.monotonic()
        command = commands.start(
            "tiny", results, **({"arm": (str(results), 0, 0)} if commands.armed else {})
        )
        assert command.wait() == 0, command.told()
        seconds = time.monotonic() - started
        return cls(results, records(results), seconds, command.seen if commands.armed else 0)

    def require_same(self, commands: Commands, results: Path) -> None:
        """Run what is missing in `results`, and require the same records as without an incident."""
        code, told = commands.run("tiny", results)
        assert code == 0, told
        assert records(results) == self.records
        assert litter(results) == []
        assert commands.runs() == []

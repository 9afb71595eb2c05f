"""A PostgreSQL server of its own for tests, in a temporary folder, on a free port, as a user who is not root."""

import os
import pwd
import shutil
import socket
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

USER, PASSWORD = "ue", "s3cret-word"


def programs() -> Path | None:
    """The folder of the server's programs, newest version first; None where there is none."""
    on_path = shutil.which("initdb")
    installed = sorted(
        Path("/usr/lib/postgresql").glob("*/bin/initdb"),
        key=lambda path: int(path.parts[-3]),
        reverse=True,
    )
    found = [*([Path(on_path)] if on_path else []), *installed]
    return found[0].resolve().parent if found else None


class Server:
    """A running server. `url` names an empty database, a new one for each `new_database`."""

    def __init__(self, bin_folder: Path, folder: Path, port: int, as_user: dict) -> None:
        self._bin, self._folder, self.port, self._as = bin_folder, folder, port, as_user

    def url(self, database: str, password: str = PASSWORD) -> str:
        return f"postgresql://{USER}:{password}@127.0.0.1:{self.port}/{database}"

    def new_database(self, name: str) -> str:
        self._run("psql", "-q", "-d", self.url("postgres"), "-c", f"CREATE DATABASE {name}")
        return self.url(name)

    def start(self) -> None:
        options = f"-p {self.port} -k {self._folder} -c listen_addresses=127.0.0.1 -c fsync=off -c max_connections=50"
        self._run(
            "pg_ctl",
            "-w",
            "-D",
            str(self._folder / "db"),
            "-l",
            str(self._folder / "log"),
            "-o",
            options,
            "start",
        )

    def stop(self) -> None:
        self._run("pg_ctl", "-m", "immediate", "-D", str(self._folder / "db"), "stop")

    def make(self) -> None:
        secret = self._folder / "password"
        secret.write_text(PASSWORD)
        if self._as:
            os.chown(secret, self._as["user"], self._as["group"])
        self._run(
            "initdb",
            "-N",
            "-D",
            str(self._folder / "db"),
            "-U",
            USER,
            "-A",
            "scram-sha-256",
            f"--pwfile={secret}",
        )

    def _run(self, program: str, *arguments: str) -> None:
        command = [str(self._bin / program), *arguments]
        done = subprocess.run(
            command,
            cwd=self._folder,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
            **self._as,
        )
        assert done.returncode == 0, f"{program}: {done.stderr}"


@contextmanager
def server(bin_folder: Path) -> Iterator[Server]:
    folder = Path(tempfile.mkdtemp(prefix="ue-pg-"))  # short, as a socket's path must be
    as_user = {}
    if os.getuid() == 0:
        nobody = pwd.getpwnam("nobody")
        as_user = {"user": nobody.pw_uid, "group": nobody.pw_gid, "extra_groups": []}
        os.chown(folder, nobody.pw_uid, nobody.pw_gid)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    started = Server(bin_folder, folder, port, as_user)
    try:
        started.make()
        started.start()
        yield started
    finally:
        if (folder / "db" / "postmaster.pid").exists():
            started.stop()
        shutil.rmtree(folder)

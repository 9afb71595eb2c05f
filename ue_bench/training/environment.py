"""Where a run took place: versions and hardware. Never names of hosts, users or folders."""

import os
import platform
import subprocess
import time
from importlib.metadata import version
from pathlib import Path
from typing import Any

from ue_bench.version import __version__

# Those on which numbers of a record depend: the baselines come from scipy and scikit-learn.
LIBRARIES = (
    *("torch", "polars", "polars-hash", "xxhash", "numpy", "scipy", "scikit-learn"),
    *("optuna", "pandas"),
)


def environment(gpu: str | None) -> dict[str, Any]:
    """Return the `env` of a record, with the name of the GPU that the run used."""
    sha, dirty = _git_state()
    versions = {"python": platform.python_version()}
    for name in LIBRARIES:
        versions[name] = version(name)
    return {
        "ue_bench": __version__,
        "git_sha": sha,
        "git_dirty": dirty,
        "versions": versions,
        "platform": f"{platform.system()} {platform.machine()}",
        "cpu": _cpu(),
        "cores": os.cpu_count(),
        "gpu": gpu,
        "time": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
    }


def _git_state() -> tuple[str | None, bool | None]:
    """Return the commit and the dirty flag of the checkout that contains the package.

    Both are None where the package was installed from a wheel.
    """
    root = Path(__file__).resolve().parents[2]
    if not (root / ".git").exists():
        return None, None
    try:
        sha = _git(root, "rev-parse", "HEAD")
        status = _git(root, "status", "--porcelain", "-uno")
    except (OSError, subprocess.CalledProcessError):  # no git, or no commit yet
        return None, None
    return sha, bool(status)


def _git(folder: Path, *arguments: str) -> str:
    command = ["git", "-C", str(folder), *arguments]
    # The words of the command are fixed, and there is no shell.
    finished = subprocess.run(command, capture_output=True, text=True, check=True)  # nosec B603
    return finished.stdout.strip()


def _cpu() -> str:
    info = Path("/proc/cpuinfo")
    if info.exists():
        for line in info.read_text().splitlines():
            if line.startswith("model name"):
                return line.split(":", 1)[1].strip()
    return platform.processor() or platform.machine()

"""Where a run took place: versions and hardware. Never names of hosts, users or folders."""

import os
import platform
import subprocess
import time
from importlib.metadata import version
from pathlib import Path
from typing import Any

from ue_bench.version import __version__

LIBRARIES = ("torch", "polars", "polars-hash", "xxhash", "numpy", "optuna", "pandas")


def environment(gpu: str | None) -> dict[str, Any]:
    """Versions and hardware, without names of hosts or users."""
    sha, dirty = _git()
    return {
        "ue_bench": __version__,
        "git_sha": sha,
        "git_dirty": dirty,
        "versions": {
            "python": platform.python_version(),
            **{name: version(name) for name in LIBRARIES},
        },
        "platform": f"{platform.system()} {platform.machine()}",
        "cpu": _cpu(),
        "cores": os.cpu_count(),
        "gpu": gpu,
        "time": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
    }


def _git() -> tuple[str | None, bool | None]:
    """Commit and dirty flag of the checkout that the package lies in; None where it was installed from a wheel."""
    here = Path(__file__).resolve().parents[2]
    if not (here / ".git").exists():
        return None, None
    try:
        sha = _ask_git(here, "rev-parse", "HEAD")
        status = _ask_git(here, "status", "--porcelain", "-uno")
    except (OSError, subprocess.CalledProcessError):  # no git, or no commit yet
        return None, None
    return sha, bool(status)


def _ask_git(folder: Path, *words: str) -> str:
    command = ["git", "-C", str(folder), *words]
    done = subprocess.run(command, capture_output=True, text=True, check=True)  # nosec B603 # a list of our own words, no shell
    return done.stdout.strip()


def _cpu() -> str:
    info = Path("/proc/cpuinfo")
    names = (
        [line for line in info.read_text().splitlines() if line.startswith("model name")]
        if info.exists()
        else []
    )
    return (
        names[0].split(":", 1)[1].strip() if names else platform.processor() or platform.machine()
    )

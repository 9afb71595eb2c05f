"""The versions that the runs of a submission were made with, and `requirements.txt`, which pins
them."""

import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence

from ue_bench.errors import BenchError
from ue_bench.record import Record

REQUIREMENTS = "requirements.txt"
PROJECT = "ue-bench"
PINNED = (PROJECT, "torch", "numpy", "polars", "xxhash", "optuna")
_PIN = re.compile(r"([\w.-]+)==([^\s;,]+)", re.ASCII)


def pins_of(runs: Sequence[Record]) -> str:
    """Return the text of `requirements.txt`: what all runs that ended well were made with.

    Raises BenchError for a library that they had in several versions, or that they do not name.
    """
    lines = []
    for name in PINNED:
        counts = _versions(runs, name)
        if len(counts) != 1 or None in counts:
            raise BenchError(
                f"the runs were made with {_counted(counts, name)}; a submission is of one version "
                "of each library: delete the runs of the others, and make them again with "
                "ue-bench rank"
            )
        lines.append(f"{name}=={next(iter(counts))}\n")
    return "".join(lines)


def faults_of_pins(text: str, runs: Sequence[Record]) -> Iterator[str]:
    """Yield where the text of `requirements.txt` does not pin what the runs were made with."""
    pins: dict[str, str] = {}
    for number, line in enumerate(text.splitlines(), start=1):
        pin = line.strip()
        if not pin or pin.startswith("#"):
            continue
        where = f"{REQUIREMENTS}, line {number}"
        parts = _PIN.fullmatch(pin)
        name = parts[1].lower().replace("_", "-") if parts else ""
        if parts is None:
            yield f"{where}: {pin!r} was given; give NAME==VERSION"
        elif name not in PINNED:
            yield f"{where}: {name} is none of {', '.join(PINNED)}, which alone are pinned"
        elif name in pins:
            yield f"{where}: {name} is pinned twice"
        else:
            pins[name] = parts[2]
    for name in PINNED:
        if name not in pins:
            yield f"{REQUIREMENTS}: it does not pin {name}"
            continue
        counts = _versions(runs, name)
        others = counts.keys() - {pins[name]}
        if others:
            yield (
                f"{REQUIREMENTS}: it pins {name}=={pins[name]}, and the runs were made with "
                f"{_counted(counts, name)}"
            )


def versions_in(env: Mapping[str, object]) -> dict[str, str]:
    """Return the pinned versions that the `env` of a run names, by library."""
    of_libraries = env.get("versions")
    found = dict(of_libraries) if isinstance(of_libraries, dict) else {}
    found[PROJECT] = env.get("ue_bench")
    return {name: found[name] for name in PINNED if isinstance(found.get(name), str)}


def _versions(runs: Sequence[Record], name: str) -> Counter[str | None]:
    """Return how many of the runs that ended well had each version; None: they do not say."""
    return Counter(versions_in(run.env).get(name) for run in runs if run.status == "ok")


def _counted(counts: Mapping[str | None, int], name: str) -> str:
    """Return the versions in words, the most frequent first."""
    if not counts:
        return f"no version of {name}, since none ended well"
    parts = []
    for version, count in sorted(counts.items(), key=lambda item: (-item[1], str(item[0]))):
        what = f"no version of {name} named" if version is None else f"{name} {version}"
        parts.append(f"{what} ({count:,})")
    return ", ".join(parts)

"""A place on the board: what somebody submits about a strategy of their own, and what it must show.

A submission is a folder: the Python file of the strategy, its runs of the study `methods` as packed
records, the versions that they ran with, and `submission.toml`, which says the rest. Nothing else
may be in it.
"""

import json
import os
import re
import tomllib
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

import msgspec

from ue_bench.advise.rank import STUDY, published_records
from ue_bench.errors import BenchError
from ue_bench.record import Record, load_runs
from ue_bench.record.packed import PACKED, write_packed
from ue_bench.report.evidence.effort import Effort, efforts_of, form_of
from ue_bench.report.evidence.evidence import Evidence
from ue_bench.report.evidence.place import places
from ue_bench.report.json_values import json_values
from ue_bench.strategies import load_plugin
from ue_bench.strategies.registry import code_of
from ue_bench.study import Search, Study, find
from ue_bench.study.parts_of import parts_of
from ue_bench.study.plan import Plan
from ue_bench.training.run_once import run_once
from ue_bench.whole_file import read_regular, write_whole

ABOUT = "submission.toml"
REQUIREMENTS = "requirements.txt"
LARGEST = 5_000_000  # bytes of all files together
PINNED = ("ue-bench", "torch", "numpy", "polars", "xxhash", "optuna")
_NAME = re.compile(r"[a-z0-9][a-z0-9-]{1,38}", re.ASCII)


class About(msgspec.Struct, forbid_unknown_fields=True):
    """What `submission.toml` says.

    licence: an SPDX identifier. contact: an address or a page, or empty. verified: whether somebody
    else has made some of the runs again and found the same.
    """

    name: str
    file: str
    strategies: list[str]
    licence: str
    contact: str = ""
    verified: bool = False


@dataclass(frozen=True)
class Submission:
    """A folder that was read. runs: its records. skipped: a line for each that is none."""

    folder: Path
    about: About
    runs: tuple[Record, ...]
    skipped: tuple[str, ...]


def submit(
    file: Path, name: str, results: Path, out: Path, *, licence: str, contact: str = ""
) -> Path:
    """Write the folder of a submission in `out`, and return it.

    file: the Python file of the strategy, whose runs of study `methods` are in `results`.
    Raises BenchError for a name that is no name of a folder, for a folder that exists, and where no
    run was made with the code that the file has now.
    """
    if not _NAME.fullmatch(name):
        raise BenchError(
            f"name: {name!r} was given; give 2 to 39 small letters, digits and dashes, such as "
            "my-method"
        )
    folder = out / name
    if folder.exists():
        raise BenchError(f"{folder} exists; delete it, or give another --name")
    strategies = sorted(load_plugin(file))
    runs = []
    if (results / STUDY).is_dir():
        for run in load_runs(results, STUDY)[0]:
            if run.config.strategy in strategies and run.config.code == _digest(strategies):
                runs.append(run)
    if not runs:
        raise BenchError(
            f"{results} has no run of {', '.join(strategies)} with the code of {file}; make them "
            f"with ue-bench rank {file}"
        )
    about = About(name, file.name, strategies, licence, contact)
    write_whole(folder / file.name, read_regular(file))
    write_whole(folder / REQUIREMENTS, "".join(f"{one}=={version(one)}\n" for one in PINNED))
    (folder / STUDY).mkdir()
    write_packed(runs, folder / STUDY / PACKED)
    write_about(folder, about)
    return folder


def write_about(folder: Path, about: About) -> None:
    """Write `submission.toml`."""
    lines = []
    for field, value in msgspec.to_builtins(about).items():
        lines.append(f"{field} = {json.dumps(value)}\n")  # JSON's texts and lists are TOML's
    write_whole(folder / ABOUT, "".join(lines))


def read(folder: Path) -> Submission:
    """Read a submission without running its code. Raises BenchError for what is none."""
    try:
        text = read_regular(folder / ABOUT).decode()
        about = msgspec.convert(tomllib.loads(text), About)
    except (OSError, UnicodeDecodeError, ValueError, msgspec.ValidationError) as error:
        raise BenchError(f"{folder / ABOUT}: it does not say what it must ({error})") from error
    runs, skipped = load_runs(folder, STUDY)
    return Submission(folder, about, tuple(runs), tuple(skipped))


def faults_of_files(submission: Submission) -> Iterator[str]:
    """Yield what is wrong with the files, without running any code of theirs."""
    about = submission.about
    if about.name != submission.folder.resolve().name or not _NAME.fullmatch(about.name):
        yield f"{ABOUT}: its name {about.name!r} is not that of the folder"
    if Path(about.file).name != about.file or not about.file.endswith(".py"):
        yield f"{ABOUT}: file {about.file!r} is no Python file of the folder"
    expected = {about.file, ABOUT, REQUIREMENTS, f"{STUDY}/{PACKED}"}
    total = 0
    found = set()
    for path in sorted(submission.folder.rglob("*")):
        place = path.relative_to(submission.folder).as_posix()
        if path.is_symlink():
            yield f"{place}: a symbolic link; only files may be in a submission"
        elif not path.is_dir():
            found.add(place)
            total += os.path.getsize(path)
            if place not in expected:
                yield f"{place}: only {', '.join(sorted(expected))} may be in a submission"
    for place in sorted(expected - found):
        yield f"{place}: it is missing"
    if total > LARGEST:
        yield f"{total:,} bytes; a submission has at most {LARGEST:,}"
    yield from submission.skipped


def faults_of_runs(submission: Submission, published: Sequence[Record]) -> Iterator[str]:
    """Yield what the records do not show: code, data, and all searches with full effort.

    The strategies of the submission must be loaded.
    """
    names = submission.about.strategies
    digest = _digest(names)
    checksums = {run.found.get("checksum") for run in published} - {None}
    for run in submission.runs:
        if run.config.strategy not in names:
            yield f"run {run.run_id}: strategy {run.config.strategy} is none of the submission"
        elif run.config.code != digest:
            yield f"run {run.run_id}: it was made with other code than {submission.about.file}"
        elif run.status == "ok" and run.found.get("checksum") not in checksums:
            yield f"run {run.run_id}: it was made on other data than the published runs"
    efforts = efforts_of(run for run in submission.runs if run.phase == "search")
    parts = parts_of(find(STUDY).parts, names, STUDY)
    plan = Plan(STUDY, Study("?", parts, latency=False))
    for part in parts:
        if isinstance(part, Search):
            budget = plan.adapt(part.base, 0, part.compression).budget
            yield from _lacks(part, budget, efforts, submission.runs)


def _lacks(
    part: Search, budget: int | None, efforts: Sequence[Effort], runs: Sequence[Record]
) -> Iterator[str]:
    """Yield what one search of the study lacks, at the budget of its size."""
    form = part.base.strategy, part.base.regions or ""

    def is_own(run: Record) -> bool:
        return form_of(vars(run.config))[:2] == form and run.config.budget == budget

    where = f"{' '.join(filter(None, form))} at 1/{part.compression}"
    own = [one for one in efforts if one.form[:2] == form and one.budgets == {budget}]
    if not own:
        # a budget that cannot work is an answer
        if not any(run.status == "infeasible" and is_own(run) for run in runs):
            yield f"{where}: its search is missing"
        return
    effort = max(own, key=lambda one: one.ended_well)
    if effort.ended_well < part.trials and not effort.exhausted:
        yield f"{where}: its search has {effort.ended_well} trials of {part.trials}"
    seeds: dict[str, set[int]] = defaultdict(set)
    for run in runs:
        if run.phase == "confirm" and run.status == "ok" and is_own(run):
            seeds[run.config.with_seed(0).run_id].add(run.config.init_seed)
    most = max(map(len, seeds.values()), default=0)
    if most < part.seeds:
        yield f"{where}: what it found ran on {most} fresh seeds of {part.seeds}"


def places_of(submission: Submission, published: Path) -> dict[str, list[dict[str, Any]]]:
    """Return the places that the strategies of a submission would have, by name."""
    evidence = Evidence([*published_records(published), *submission.runs])
    found = {}
    for name in submission.about.strategies:
        found[name] = json_values(places(evidence.summary, evidence.arms.kept, name))
    return found


@dataclass(frozen=True)
class Again:
    """A run that was made again. before, now: test MSE. within: whether now is where it may be."""

    label: str
    seed: int
    before: float
    now: float
    within: bool


def rerun(submission: Submission, seeds: int) -> Iterator[Again]:
    """Make the confirmed runs of the first seeds again, and yield what they give.

    A run may differ by what CPUs and releases of torch do to it: a tenth of the standard deviation
    of its arm over seeds.
    """
    arms = defaultdict(list)
    for run in submission.runs:
        if run.phase == "confirm" and run.status == "ok":
            arms[run.config.with_seed(0).run_id].append(run)
    for runs in arms.values():
        runs.sort(key=lambda run: run.config.init_seed)
        scores = [run.quality["test_mse"] for run in runs]
        mean = sum(scores) / len(scores)
        spread = (sum((score - mean) ** 2 for score in scores) / max(1, len(scores) - 1)) ** 0.5
        for run in runs[:seeds]:
            now = run_once(run.config).quality["test_mse"]
            before = run.quality["test_mse"]
            label = f"{run.config.strategy} {run.config.regions}, {run.config.budget} bytes"
            within = abs(now - before) <= 0.1 * spread
            yield Again(label, run.config.init_seed, before, now, within)


def _digest(names: Sequence[str]) -> str | None:
    """Return the digest of the code of loaded strategies, which are of one file."""
    code = code_of(names[0]) if names else None
    return None if code is None else code.digest

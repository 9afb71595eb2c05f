"""A place on the board: what somebody submits about a strategy of their own, and what it must show.

A submission is a folder: the Python file of the strategy, its runs of the study `methods` as packed
records, the versions that they ran with, and `submission.toml`, which says the rest. Once somebody
has made some of the runs again (see `rerun`), the evidence of that lies beside it. Nothing else may
be in it.
"""

import json
import os
import re
import secrets
import shutil
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec

from ue_bench.advise.community_folder import ABOUT
from ue_bench.advise.pinned_versions import REQUIREMENTS, faults_of_pins, pins_of
from ue_bench.advise.rank import STUDY, searches_of
from ue_bench.config.json_value import is_text
from ue_bench.config.toml_file import read_toml
from ue_bench.errors import BenchError
from ue_bench.record import Record, load_runs
from ue_bench.record.data_identity import Identities, checksums_of
from ue_bench.record.packed import PACKED, write_packed
from ue_bench.report.evidence.comparison import comparison_of
from ue_bench.report.evidence.effort import Effort, efforts_of, form_of
from ue_bench.report.evidence.evidence import Evidence
from ue_bench.report.evidence.place import places
from ue_bench.report.json_values import json_values
from ue_bench.strategies import load_plugin
from ue_bench.strategies.registry import code_of, loaded_source
from ue_bench.study import Search
from ue_bench.whole_file import cannot_write, read_regular, write_whole

EVIDENCE = "rerun.json"  # beside submission.toml, where some runs were made again
LARGEST = 5_000_000  # bytes of all files together
LARGEST_ABOUT = 10_000  # bytes of submission.toml
LARGEST_REQUIREMENTS = 10_000  # bytes of requirements.txt
PHASES = ("search", "confirm")
PARTS = ("table_bytes", "auxiliary_bytes", "vocabulary_bytes")
_NAME = re.compile(r"[a-z0-9][a-z0-9-]{1,38}", re.ASCII)
_LICENCE = re.compile(r"[A-Za-z0-9][A-Za-z0-9.+ ()-]{0,99}", re.ASCII)


class About(msgspec.Struct, forbid_unknown_fields=True):
    """What `submission.toml` says.

    licence: an SPDX identifier, or an expression of several. contact: an address or a page, or
    empty. verified: whether somebody else has made some of the runs again and found the same.
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
    Raises BenchError for a name that is no name of a folder, for a folder that exists, for a
    licence that is none and a contact with invisible characters, where no run was made with the
    code that the file has now, where the runs were made with several versions of a library, and
    where the folder cannot be written. Nothing is written then.
    """
    if not _NAME.fullmatch(name):
        raise BenchError(
            f"name: {name!r} was given; give 2 to 39 small letters, digits and dashes, such as "
            "my-method"
        )
    folder = out / name
    if os.path.lexists(folder):  # a link to nothing is there, too
        raise BenchError(f"{folder} exists; delete it, or give another --name")
    for fault in _faults_of_words(licence, contact):
        raise BenchError(fault)
    strategies = sorted(load_plugin(file))
    source = loaded_source(file)  # the file may have been edited since
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
    _toml_of(about)  # raises before anything is written
    pins = pins_of(runs)
    # Under a hidden name first: a folder that has its name is whole.
    temporary = out / f".{name}-{secrets.token_hex(8)}"
    try:
        temporary.mkdir(parents=True)
        write_whole(temporary / file.name, source)
        write_whole(temporary / REQUIREMENTS, pins)
        (temporary / STUDY).mkdir()
        write_packed(runs, temporary / STUDY / PACKED)
        write_about(temporary, about)
        os.replace(temporary, folder)
    except OSError as error:
        raise cannot_write(folder, error) from error
    finally:
        shutil.rmtree(temporary, ignore_errors=True)
    return folder


def _faults_of_words(licence: str, contact: str) -> Iterator[str]:
    """Yield why a licence is none, and why a contact cannot be read."""
    if not _LICENCE.fullmatch(licence):
        yield f"licence: {licence[:100]!r} was given; give an SPDX identifier, such as MIT"
    if not contact.isprintable():
        yield f"contact: {contact[:100]!r} was given; give visible characters alone"


def write_about(folder: Path, about: About) -> None:
    """Write `submission.toml`."""
    write_whole(folder / ABOUT, _toml_of(about))


def _toml_of(about: About) -> str:
    """Return the text of `submission.toml`. Raises BenchError for what it could not hold."""
    lines = []
    for field, value in msgspec.to_builtins(about).items():
        # JSON's texts and lists are TOML's, but for pairs of escapes and for DEL
        text = json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")
        if not is_text(text):
            raise BenchError(f"{field}: {value!r} was given; give whole characters")
        lines.append(f"{field} = {text}\n")
    content = "".join(lines)
    if len(content.encode()) > LARGEST_ABOUT:
        raise BenchError(f"{ABOUT}: it would have more than {LARGEST_ABOUT:,} bytes; shorten it")
    return content


def read(folder: Path) -> Submission:
    """Read a submission without running its code. Raises BenchError for what is none."""
    path = folder / ABOUT
    try:
        about = msgspec.convert(read_toml(path, LARGEST_ABOUT), About)
    except (BenchError, msgspec.ValidationError) as error:
        raise BenchError(f"{path}: it does not say what it must ({error})") from error
    packed = folder / STUDY / PACKED
    if packed.is_file() and packed.stat().st_size > LARGEST:
        raise BenchError(f"{packed}: a submission has at most {LARGEST:,} bytes")
    runs, skipped = load_runs(folder, STUDY)
    return Submission(folder, about, tuple(runs), tuple(skipped))


def faults_of_files(submission: Submission) -> Iterator[str]:
    """Yield what is wrong with the files, without running any code of theirs."""
    about = submission.about
    if about.name != submission.folder.resolve().name or not _NAME.fullmatch(about.name):
        yield f"{ABOUT}: its name {about.name!r} is not that of the folder"
    if Path(about.file).name != about.file or not about.file.endswith(".py"):
        yield f"{ABOUT}: file {about.file!r} is no Python file of the folder"
    if len(set(about.strategies)) != len(about.strategies):
        yield f"{ABOUT}: a strategy is named twice"
    for fault in _faults_of_words(about.licence, about.contact):
        yield f"{ABOUT}: {fault}"
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
            if place not in expected | {EVIDENCE}:
                yield f"{place}: only {', '.join(sorted(expected))} may be in a submission"
    for place in sorted(expected - found):
        yield f"{place}: it is missing"
    if total > LARGEST:
        yield f"{total:,} bytes; a submission has at most {LARGEST:,}"
    yield from submission.skipped
    if REQUIREMENTS in found:
        yield from _faults_of_requirements(submission)


def _faults_of_requirements(submission: Submission) -> Iterator[str]:
    try:
        text = read_regular(submission.folder / REQUIREMENTS, LARGEST_REQUIREMENTS).decode()
    except (OSError, UnicodeDecodeError) as error:
        yield f"{REQUIREMENTS}: it cannot be read ({error}); give lines NAME==VERSION"
        return
    yield from faults_of_pins(text, submission.runs)


def load_code(submission: Submission) -> Iterator[str]:
    """Run the file of a submission without fault, and yield what is wrong with what it adds."""
    about = submission.about
    added = list(load_plugin(submission.folder / about.file))
    if sorted(added) != sorted(about.strategies):
        yield f"{ABOUT}: the strategies of the file are {added}"


def faults_of_folder(submission: Submission) -> list[str]:
    """Return what is wrong with the files, then with the code, then with whose the records are.

    Code is run, and stays loaded, only of a folder that holds nothing else.
    """
    for faults_of in (faults_of_files, load_code, faults_of_records):
        faults = list(faults_of(submission))
        if faults:
            return faults
    return []


def faults_of_records(submission: Submission) -> Iterator[str]:
    """Yield whose the records are not, and what they do not say.

    The strategies of the submission must be loaded.
    """
    about = submission.about
    digest = _digest(about.strategies)
    for run in submission.runs:
        fault = None
        if run.config.strategy not in about.strategies:
            fault = f"strategy {run.config.strategy} is none of the submission"
        elif run.config.code != digest:
            fault = f"it was made with other code than {about.file}"
        elif run.phase not in PHASES:
            fault = f"it is of phase {run.phase}; only {' and '.join(PHASES)} are ranked"
        elif run.status == "ok":
            fault = _fault_of_content(run)
        if fault is not None:
            yield f"run {run.run_id}: {fault}"


def _fault_of_content(run: Record) -> str | None:
    if run.config.measure == "latency":
        return "it measured latency alone and cannot have scores"
    scores = ("val_mse", "test_mse") if run.phase == "confirm" else ("val_mse",)
    for name in scores:
        if run.quality.get(name) is None:
            return f"it has no {name}"
    cost = run.cost
    if cost["total_bytes"] != sum(cost[name] for name in PARTS):
        return f"total_bytes {cost['total_bytes']} is not the sum of its parts"
    return None


def faults_of_runs(submission: Submission, published: Sequence[Record]) -> Iterator[str]:
    """Yield what the records do not show: the published data, and searches with full effort.

    They are those at the sizes of published runs. The strategies of the submission must be loaded.
    """
    names = submission.about.strategies
    every = [*published, *submission.runs]
    identities = Identities(filter(None, map(checksums_of, every)))
    comparisons, data = set(), set()
    for run in published:
        comparisons.add(comparison_of(run)._replace(phase=""))
        data.add(_data_of(run, identities))
    data.discard(None)  # what does not say its data is equal to nothing
    for run in submission.runs:
        if comparison_of(run)._replace(phase="") not in comparisons:
            yield f"run {run.run_id}: no published run is of its data, features, split and task"
        elif run.status == "ok" and _data_of(run, identities) not in data:
            yield f"run {run.run_id}: it was made on other data than the published runs"
    efforts = efforts_of(run for run in submission.runs if run.phase == "search")
    for search, budget in searches_of(names, published):
        yield from _lacks(search, budget, efforts, submission.runs)


def _data_of(run: Record, identities: Identities) -> str | None:
    """Return what is equal for equal data; None where a record does not say what it met."""
    files = run.found.get("checksum")
    return identities.of(files) if isinstance(files, str) else None


def _lacks(
    part: Search, budget: int | None, efforts: Sequence[Effort], runs: Sequence[Record]
) -> Iterator[str]:
    """Yield what one search of the study lacks, at the budget of its size."""
    form = part.base.strategy, part.base.regions or ""

    def is_own(run: Record) -> bool:
        return form_of(run.config.by_name())[:2] == form and run.config.budget == budget

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


def evidence_of(submission: Submission, published: Sequence[Record]) -> Evidence:
    """Return the evidence of the published runs together with those of a submission."""
    return Evidence([*published, *submission.runs])


def faults_of_places(submission: Submission, evidence: Evidence) -> Iterator[str]:
    """Yield why runs of a submission are not comparable with the published ones.

    evidence: of both, as `evidence_of` returns it.
    """
    for name in submission.about.strategies:
        for line in evidence.arms.refused_of(name):
            yield f"not comparable: {line}"
        if not places(evidence.summary, evidence.arms.kept, name):
            yield f"{name}: it has no place among the published strategies"


def places_of(submission: Submission, evidence: Evidence) -> dict[str, list[dict[str, Any]]]:
    """Return the places that the strategies of a submission would have, by name."""
    found = {}
    for name in submission.about.strategies:
        found[name] = json_values(places(evidence.summary, evidence.arms.kept, name))
    return found


def _digest(names: Sequence[str]) -> str | None:
    """Return the digest of the code of loaded strategies, which are of one file."""
    code = code_of(names[0]) if names else None
    return None if code is None else code.digest

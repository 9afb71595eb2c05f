"""Checks of published records, and of the documents that quote numbers from them."""

from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from pathlib import Path

from ue_bench.cli import calibration_laws, effort_laws, recipe_laws, seed_laws
from ue_bench.cli.verdicts import verdicts_by_study
from ue_bench.errors import BenchError, one_line
from ue_bench.progress import note
from ue_bench.record import SPEED, Record, SpeedRecord, load
from ue_bench.record.same_text import same_text
from ue_bench.report.evidence.evidence import Evidence
from ue_bench.report.evidence.frames import of_small_frames
from ue_bench.report.page.prose import BLOCK, refresh
from ue_bench.strategies import all_strategies, code_of, is_anchor
from ue_bench.study import names
from ue_bench.training.assembly import has_budget
from ue_bench.training.resolve import resolve
from ue_bench.whole_file import read_regular

HEADLINES = "README.md"  # the document whose numbers need the most seeds


@of_small_frames()
def check(
    results: Path, documents: Iterable[Path] = (), studies: Collection[str] = ()
) -> list[str]:
    """Return one line a fault of the records in `results` and of the blocks in `documents`.

    Records must parse (which excludes NaN and infinity), be unique and finished, come from a clean
    commit, and name existing studies and strategies; their bytes must add up, arms must have enough
    seeds, and verdicts on draws of worlds must seldom be wrong. The blocks of the documents, which
    are Markdown files, must equal what the records give. studies: names of studies that are not in
    the package.

    Raises BenchError if the folder or a document cannot be read.
    """
    records, faults = load(results)
    if not records:
        faults.append(f"{results}: no record")
    all_studies = {*names(), *studies}
    strategies = all_strategies()  # each call searches the installed packages
    for record in records:
        path = results / record.study / f"{record.run_id}.json"
        if isinstance(record, SpeedRecord):
            own_faults = _speed_faults(record)
        else:
            own_faults = _faults(record, all_studies, strategies)
        faults += [f"{path}: {fault}" for fault in own_faults]
    faults += _repeated(records, results)
    evidence = Evidence(records)
    faults += recipe_laws.faults(evidence.arms.kept)
    faults += effort_laws.faults(evidence.arms)
    faults += calibration_laws.faults(evidence.drawn)
    documents = list(documents)
    faults += seed_laws.faults(evidence.arms.kept, _quoted(documents), evidence.records)
    for study in effort_laws.unproven(evidence.arms.search):
        note(one_line(f"{study}: its trials do not say enough of their search to be judged"))
    verdicts = verdicts_by_study(evidence.records)

    def refreshed(block: str) -> str:
        return refresh(block, evidence, verdicts)

    for path in documents:
        faults += _stale_blocks(path, refreshed, results)
    return faults


def _faults(record: Record, studies: Collection[str], strategies: Collection[str]) -> Iterator[str]:
    """What is wrong with the record of a run."""
    if record.study not in studies:
        yield f"unknown study {record.study!r}; if it is your own, name its file with --study"
    config = record.config
    if not is_anchor(config.strategy) and config.strategy not in strategies:
        yield f"unknown strategy {config.strategy!r}"
        return
    code = code_of(config.strategy)
    if code is not None and config.code != code.digest:
        yield (
            f"made by code {config.code or 'without a digest'} of strategy {config.strategy!r}; "
            f"{code.origin} has {code.digest}"
        )
        return
    try:
        resolved = resolve(config)
        if config.run_id != record.run_id or resolved != config:
            yield f"its configuration, resolved, is that of run {resolved.run_id}"
    except BenchError as error:
        yield f"configuration: {error}"
        return
    if record.status == "infeasible":  # an answer, and not a fault
        return
    if record.status == "failed":
        yield f"{record.status}: {record.error}"
        return
    if not _is_clean(record):
        yield "not made from a clean commit"
    yield from _byte_faults(record)


def _speed_faults(record: SpeedRecord) -> Iterator[str]:
    if record.study != SPEED or record.status != "ok":
        yield (
            f"study {record.study!r}, {record.status}: only whole and successful measurements of "
            "speed are published"
        )
    elif not _is_clean(record):
        yield "not made from a clean commit"


def _byte_faults(record: Record) -> Iterator[str]:
    """Bytes that do not add up, or do not use the budget."""
    cost = record.cost
    paid = cost["table_bytes"] + cost["auxiliary_bytes"]
    if cost["total_bytes"] != paid + cost["vocabulary_bytes"]:
        yield f"total_bytes {cost['total_bytes']} is not the sum of its parts"
    if cost.get("total_floor_bytes", record.total_floor_bytes) != record.total_floor_bytes:
        yield f"total_floor_bytes {cost['total_floor_bytes']} is not the sum of its parts"
    budget = record.config.budget
    if budget and has_budget(record.config) and not 0.9 * budget <= paid <= budget:
        yield f"table and auxiliary take {paid} bytes of a budget of {budget}"


def _is_clean(record: Record | SpeedRecord) -> bool:
    return bool(record.env.get("git_sha")) and record.env.get("git_dirty") is False


def _repeated(records: Sequence[Record | SpeedRecord], results: Path) -> Iterator[str]:
    """The configurations that several records of one study and phase have."""
    counts: Counter[tuple[str, str, str]] = Counter()
    for record in records:
        config = record.config.by_name()
        config.pop("measure", None)
        counts[record.study, record.phase, same_text(config)] += 1
    for (study, phase, config_text), n in counts.items():
        if n > 1:
            yield f"{results / study}: {n} {phase} runs of one configuration: {config_text}"


def _quoted(documents: Iterable[Path]) -> set[str]:
    """Return the studies that the blocks of a README quote."""
    studies: set[str] = set()
    for path in documents:
        if path.name == HEADLINES:
            for block in BLOCK.finditer(_text(path)):
                studies.update(block["words"].split()[1:2])
    return studies


def _text(path: Path) -> str:
    """Return the text of a document. Raises BenchError where it cannot be read."""
    try:
        return read_regular(path).decode()
    except (OSError, UnicodeDecodeError) as error:
        raise BenchError(f"{path} cannot be read ({error}); give Markdown files") from error


def _stale_blocks(path: Path, refreshed: Callable[[str], str], results: Path) -> Iterator[str]:
    """The blocks of a document that differ from what the records give: `refreshed`."""
    for block in BLOCK.finditer(_text(path)):
        try:
            is_stale = refreshed(block[0]) != block[0]
        except BenchError as error:
            yield f"{path}: {error}"
            continue
        if is_stale:
            yield (
                f"{path}: the block {block['words']!r} differs from the records; "
                f"run: ue-bench report --results {results} --update {path}"
            )

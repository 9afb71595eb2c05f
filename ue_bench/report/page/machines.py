"""Where the records were made: code, machine, versions, data."""

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from typing import Any

from ue_bench.config.entities import entities_text
from ue_bench.record import Record
from ue_bench.report.format import NOTHING, plain

MOST = 5  # values of one fact


def lines(records: Sequence[Record]) -> list[str]:
    """Return Markdown bullets: each fact, its values from the most common, and their counts."""
    with_environment = [record for record in records if record.env]
    n_ok = sum(record.status == "ok" for record in records)
    bullets = [f"- records: {len(records)} ({n_ok} ok)"]
    for title, fact in _FACTS.items():
        counts = _counts(fact(record) for record in with_environment)
        if not counts and title in _ONLY_IF_ANY:
            continue
        if len(counts) == 1:
            texts = list(counts)
        else:
            texts = [f"{text} ({n})" for text, n in counts.most_common(MOST)]
        bullets.append(f"- {title}: {'; '.join(texts) or NOTHING}")
    times = [record.env.get("time") for record in records]
    known_times = sorted(plain(time) for time in times if time)
    if known_times:
        bullets.append(f"- measured: {known_times[0]} to {known_times[-1]}")
    return bullets


def _counts(values: Iterable[Any]) -> Counter[str]:
    """How often each value that is known occurs, by its text."""
    counts: Counter[str] = Counter()
    for text, n in Counter(str(value) for value in values if value is not None).items():
        counts[plain(text)] += n
    return counts


def _code(record: Record) -> str:
    """The commit, or the version of a package that was not installed from a clone."""
    commit = record.env.get("git_sha")
    if not commit:
        return f"ue_bench {record.env.get('ue_bench')}"
    changes = " (with changes)" if record.env.get("git_dirty") else ""
    return f"{str(commit)[:12]}{changes}"


def _cpu(record: Record) -> str:
    return f"{record.env.get('cpu')}, {record.env.get('cores')} cores"


def _gpu(record: Record) -> Any:
    return record.env.get("gpu")


def _threads(record: Record) -> Any:
    measured = record.env.get("threads")
    return record.found.get("threads", measured)


def _platform(record: Record) -> Any:
    return record.env.get("platform")


def _versions(record: Record) -> str:
    versions = record.env.get("versions", {})
    return ", ".join(f"{name} {version}" for name, version in sorted(versions.items()))


def _data(record: Record) -> str:
    """The source of the rows, the target of a table, and which features are user and item."""
    source = record.found.get("source")
    checksum = record.found.get("checksum")
    text = f"{record.config.dataset} from {source}, checksum {checksum}"
    table = record.config.table
    if table:
        text += f", predicted: {table.get('target')}"
        if table.get("positive") is not None:
            text += f" = {table['positive']}"
    entities = entities_text(record.found)
    if entities:
        text += f", {entities}"
    return text


def _warnings(record: Record) -> str | None:
    """What is wrong with the columns of the data set; None where nothing is."""
    warnings = record.found.get("warnings")
    if not warnings:
        return None
    return f"{record.config.dataset}: {'; '.join(warnings)}"


def _optimizer(record: Record) -> Any:
    return record.found.get("optimizer_path")


_ONLY_IF_ANY = ("warnings about the data",)
_FACTS: dict[str, Callable[[Record], Any]] = {
    "code": _code,
    "CPU": _cpu,
    "GPU": _gpu,
    "threads": _threads,
    "platform": _platform,
    "versions": _versions,
    "data": _data,
    "warnings about the data": _warnings,
    "optimizer": _optimizer,
}

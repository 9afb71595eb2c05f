"""Where the records were made: code, machine, versions, data."""

from collections import Counter
from collections.abc import Sequence

from ue_bench.record import Record
from ue_bench.report.format import NOTHING, plain


def lines(records: Sequence[Record]) -> list[str]:
    """Markdown bullets: each fact with its values, the most common first; a count where they differ."""
    facts = {
        "code": _code,
        "CPU": lambda r: f"{r.env.get('cpu')}, {r.env.get('cores')} cores",
        "GPU": lambda r: r.env.get("gpu"),
        "threads": lambda r: r.found.get("threads", r.env.get("threads")),
        "platform": lambda r: r.env.get("platform"),
        "versions": lambda r: ", ".join(
            f"{name} {version}" for name, version in sorted(r.env.get("versions", {}).items())
        ),
        "data": _data,
        "optimizer": lambda r: r.found.get("optimizer_path"),
    }
    ran = [record for record in records if record.env]
    told = [f"- records: {len(records)} ({sum(record.status == 'ok' for record in records)} ok)"]
    for name, fact in facts.items():
        counts = Counter(plain(str(value)) for record in ran if (value := fact(record)) is not None)
        values = [
            text if len(counts) == 1 else f"{text} ({n})" for text, n in counts.most_common(5)
        ]
        told.append(f"- {name}: {'; '.join(values) or NOTHING}")
    times = sorted(plain(record.env["time"]) for record in ran if record.env.get("time"))
    return [*told, f"- measured: {times[0]} to {times[-1]}"] if times else told


def _code(record: Record) -> str:
    """The commit, or where the package came from no clone its version."""
    sha = record.env.get("git_sha")
    changed = " (with changes)" if record.env.get("git_dirty") else ""
    return f"{str(sha)[:12]}{changed}" if sha else f"ue_bench {record.env.get('ue_bench')}"


def _data(record: Record) -> str:
    """Where the rows came from; of a table also what is predicted, and which of its features the report calls user and item."""
    told = f"{record.config.dataset} from {record.found.get('source')}, checksum {record.found.get('checksum')}"
    table, entities = record.config.table, record.found.get("entities")
    if not table or not entities:
        return told
    return f"{told}, predicted: {table.get('target')}, user: {entities[0]}, item: {entities[-1]}"

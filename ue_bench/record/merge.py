"""Records that arrive in a results folder from elsewhere: each is written once."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from ue_bench.errors import BenchError, one_line
from ue_bench.record.data_identity import require_one
from ue_bench.record.lock import alone
from ue_bench.record.record import Record
from ue_bench.record.store import load, load_runs, require_writable, write


@dataclass
class Arrived:
    """What became of the records of one study.

    written: files. ready: equal records that were there. kept: other records of good runs that were
    there, and stay.
    """

    written: int = 0
    ready: int = 0
    kept: int = 0


def merge(sources: Iterable[Path], results: Path) -> tuple[dict[str, Arrived], list[str]]:
    """Copy the runs of results folders into `results`.

    Returns what became of each study, by name, and lines of what is left out: measurements of
    speed, which tell of the machine that made them and of no run, sources without a run, and each
    file that is no record. Where several sources have a run, the first good record counts. Raises
    BenchError for a source that does not exist or is `results` itself, where no source has a run,
    for runs of a study that were made on different data of one name, for a file that cannot be
    written, and where another command works in a study's folder.
    """
    by_study: dict[str, list[Record]] = defaultdict(list)
    skipped: list[str] = []
    empty: list[Path] = []
    n_speeds = 0
    sources = list(sources)
    for source in sources:
        if source.resolve() == results.resolve():
            raise BenchError(f"{source} was given and is --results itself; leave it out")
        records, left_out = load(source)
        skipped += left_out
        runs = [record for record in records if isinstance(record, Record)]
        n_speeds += len(records) - len(runs)
        if not runs:
            empty.append(source)
        for run in runs:
            by_study[run.study].append(run)
    where = ", ".join(map(str, sources))
    if n_speeds:  # the first lines are those that a command prints
        noun = "measurement" if n_speeds == 1 else "measurements"
        skipped.insert(0, f"{n_speeds} {noun} of speed: of a machine, and of no run")
    if not by_study:
        aside = f" (left out: {skipped[0]})" if skipped else ""
        raise BenchError(f"{_without_run(sources)}{aside}")
    if empty:
        skipped.insert(0, one_line(_without_run(empty)))
    outcome = {}
    for study, records_of in by_study.items():
        outcome[study] = Arrived()
        add(records_of, results, study, where, outcome[study])
    return outcome, skipped


def _without_run(folders: Sequence[Path]) -> str:
    verb = "holds" if len(folders) == 1 else "hold"
    return (
        f"{', '.join(map(str, folders))} {verb} no run; give results folders, which have a folder "
        "for each study"
    )


def add(records: Iterable[Record], results: Path, study: str, where: str, outcome: Arrived) -> None:
    """Write the records of a study into its folder, and count in `outcome` what became of them.

    Of several records of a run the first good one counts, and one that is there and good is not
    replaced. where: that they come from, for errors, which are those of `merge`.
    """
    arriving: dict[str, Record] = {}
    for record in records:
        known = arriving.get(record.run_id)
        if known is None or (record.status == "ok" and known.status != "ok"):
            arriving[record.run_id] = record
    folder = results / study
    require_writable(folder)
    with alone(folder):
        held = {record.run_id: record for record in load_runs(results, study)[0]}
        others = [record for record in held.values() if arriving.get(record.run_id) != record]
        require_one([*arriving.values(), *others], f"{where} and {folder}")
        for record in arriving.values():
            present = held.get(record.run_id)
            if present == record:
                outcome.ready += 1
            elif present is not None and present.status == "ok":
                outcome.kept += 1
            else:
                write(record, results)
                outcome.written += 1

"""A ranking from its file to its answer, for the command and for Python programs."""

import shlex
from collections.abc import Sequence
from dataclasses import dataclass, field
from html import escape
from os import PathLike
from pathlib import Path
from typing import Any

import polars as pl

from ue_bench.advise.rank import (
    PUBLISHED,
    Ranking,
    affordable,
    comparable,
    make_runs,
    prepare,
    standings,
)
from ue_bench.advise.rank_text import rank_text
from ue_bench.advise.rank_worlds import prepare_on
from ue_bench.errors import BenchError, one_line
from ue_bench.progress import note
from ue_bench.record import Record
from ue_bench.report.format import interval_text, size_text
from ue_bench.strategies import load_plugin
from ue_bench.strategies.registry import summaries
from ue_bench.testing import cause_lines, check_forms

COLUMNS = (
    "panel",
    "budget",
    "label",
    "rank",
    "among",
    "rank_in_all",
    "among_in_all",
    "on_front",
    "part",
    "mse",
    "low",
    "high",
    "n",
    "total_bytes",
)


@dataclass(frozen=True, repr=False)
class Ranked:
    """Where the strategies of a file rank. `str()` of it is what `ue-bench rank` prints.

    file: the Python file. data: what `ue-bench rank --json` prints, by name of the strategy.
    ranking: what was run. runs: the records of the strategies, in order. options: the words of the
    command that say what else was asked for.
    """

    file: Path
    data: dict[str, Any]
    ranking: Ranking = field(compare=False)
    runs: tuple[Record, ...] = field(compare=False)
    options: tuple[str, ...] = field(default=(), compare=False)

    @property
    def places(self) -> pl.DataFrame:
        """One row for each strategy and size at which it has a place: rank, MSE and bytes."""
        rows = []
        for name, of_name in self.data.items():
            for place in of_name["places"]:
                rows.append({"strategy": name, **{column: place[column] for column in COLUMNS}})
        columns = ("strategy", *COLUMNS)
        return pl.DataFrame(rows, None if rows else columns, infer_schema_length=None)

    def report(self, out: str | PathLike[str]) -> Path:
        """Write a page of the published records and those of the strategies, and return its path.

        The strategies are drawn on top, and their rows have a mark. Figures and tables are beside
        the page, as those of `ue-bench report`. Raises BenchError for a folder that cannot be
        written.
        """
        # Drawing libraries take a second to load, and most rankings draw nothing.
        from ue_bench.report.assemble import write_report
        from ue_bench.report.evidence.evidence import Evidence
        from ue_bench.strategies.families import FAMILIES

        outcome = write_report(
            Evidence(comparable(self.ranking, self.runs)),
            Path(out),
            strategies=summaries(),
            families=tuple(FAMILIES.values()),
            subjects=self.ranking.names,
            again=[one_line(shlex.join([*self._command(), "--out", str(out)]))],
        )
        return outcome.page

    def _command(self) -> list[str]:
        """Return the words of the command that makes the same ranking."""
        worlds = ["--on", ",".join(self.ranking.worlds)] if self.ranking.worlds else []
        return ["ue-bench", "rank", str(self.file), *worlds, *self.options]

    def __str__(self) -> str:
        return "\n".join(rank_text(name, of_name) for name, of_name in self.data.items())

    def __repr__(self) -> str:
        parts = []
        for name, of_name in self.data.items():
            ranks = [f"{place['rank']} of {place['among']}" for place in of_name["places"]]
            parts.append(f"{name}: rank {', '.join(ranks) or 'none'}")
        return one_line(f"<Ranked {'; '.join(parts)}>")

    def _repr_html_(self) -> str:
        """Return a table, which notebooks show."""
        titles = ("strategy", "size", "rank by budget", "rank by all bytes", "MSE", "seeds")
        rows = [f"<tr>{''.join(f'<th>{title}</th>' for title in titles)}</tr>"]
        for name, of_name in self.data.items():
            for place in of_name["places"]:
                cells = (name, *_cells(place))
                rows.append(f"<tr>{''.join(f'<td>{escape(cell)}</td>' for cell in cells)}</tr>")
        return f"<table>{''.join(rows)}</table>"


def _cells(place: dict[str, Any]) -> tuple[str, ...]:
    in_all = "too large"
    if place["rank_in_all"] is not None:
        in_all = f"{place['rank_in_all']} of {place['among_in_all']}"
    return (
        f"{place['panel']}, {size_text(place['budget'], place['exact_table_bytes'])}",
        f"{place['rank']} of {place['among']}",
        in_all,
        interval_text(place["mse"], place["low"], place["high"]),
        str(place["n"]),
    )


def rank(
    path: str | PathLike[str],
    *,
    quick: bool = False,
    minutes: float | None = None,
    on: Sequence[str] = (),
    against: str | PathLike[str] | None = None,
    workers: int = 1,
    results: str | PathLike[str] = "results/local",
    data_dir: str | PathLike[str] | None = None,
) -> Ranked:
    """Rank the strategies of a Python file among the published ones, as `ue-bench rank` does.

    quick: the least effort. minutes: the most effort that is expected to take no longer. on: worlds
    of the study `worlds`, such as ``("ml-100k", "baseball")``, instead of the searches of the study
    `methods`. against: a results folder with the published studies, by default that of the package.
    workers: runs at a time. results: the folder of the runs, which a later call goes on from.

    In a program of its own, call it below ``if __name__ == "__main__":``, since workers start new
    processes. What it will cost is one line on standard error. Raises BenchError where a test of
    the contract fails, and for what else cannot work.
    """
    _require_arguments(minutes, on, workers)
    on = tuple(dict.fromkeys(on))
    file = Path(path)
    folder = None if data_dir is None else Path(data_dir)
    published = PUBLISHED if against is None else Path(against)
    ranking = ranking_of(
        file, published, on, quick=quick, minutes=minutes, workers=workers, data_dir=folder
    )
    for line in ranking.cost_lines(workers):
        note(line)
    _require_contract(ranking.names, file)
    options = options_of(
        quick=quick,
        minutes=minutes,
        against=against,
        workers=workers,
        results=results,
        data_dir=data_dir,
    )
    return run_ranking(ranking, file, Path(results), workers, folder, options)


def ranking_of(
    file: Path,
    published: Path,
    on: Sequence[str] = (),
    *,
    quick: bool = False,
    minutes: float | None = None,
    workers: int = 1,
    data_dir: Path | None = None,
) -> Ranking:
    """Load the strategies of a file, and return what is to be run. Arguments are those of `rank`.

    Raises BenchError for a file without strategies that can be ranked, and for what `prepare` and
    `prepare_on` refuse.
    """
    added = load_plugin(file)
    names = [name for name, entry in added.items() if not entry.stream_only]
    if not names:
        raise BenchError(
            f"{file}: {', '.join(added)} can be run on a stream alone, and no ranking has one; use "
            "ue-bench study stream"
        )
    most = prepare_on(on, names, published) if on else prepare(names, published, data_dir)
    return affordable(most, quick, minutes, workers)


def options_of(
    *,
    quick: bool,
    minutes: float | None,
    against: str | PathLike[str] | None,
    workers: int,
    results: str | PathLike[str],
    data_dir: str | PathLike[str] | None,
) -> tuple[str, ...]:
    """Return the words of `ue-bench rank` that ask for this. Arguments are those of `rank`."""
    values = {"--minutes": minutes, "--against": against, "--results": results}
    # how many runs go at a time decides what the minutes allow
    values |= {"--workers": workers, "--data-dir": data_dir}
    words = ["--quick"] if quick else []
    for option, value in values.items():
        if value is not None:
            words += [option, str(value)]
    return tuple(words)


def run_ranking(
    ranking: Ranking,
    file: Path,
    results: Path,
    workers: int,
    data_dir: Path | None,
    options: tuple[str, ...],
) -> Ranked:
    """Make the runs of a ranking that are missing, and return where its strategies rank."""
    own = make_runs(ranking, results, workers=workers, plugins=[file], data_dir=data_dir)
    return Ranked(file, standings(ranking, own), ranking, tuple(own), options)


def _require_arguments(minutes: Any, on: Any, workers: Any) -> None:
    """Raise BenchError for what the options of the command refuse."""
    if type(workers) is not int or workers < 1:
        raise BenchError(f"rank: workers={workers!r} was given; give a whole number of at least 1")
    is_number = isinstance(minutes, (int, float)) and not isinstance(minutes, bool)
    if minutes is not None and not (is_number and minutes > 0):  # NaN is not
        raise BenchError(
            f"rank: minutes={minutes!r} was given; give a number above 0, or None for all the "
            "effort"
        )
    is_list = isinstance(on, Sequence) and not isinstance(on, (str, bytes))
    if not is_list or not all(isinstance(world, str) for world in on):
        raise BenchError(
            f"rank: on={on!r} was given; give the names of worlds in a tuple, such as "
            '("ml-100k", "baseball")'
        )


def _require_contract(names: Sequence[str], file: Path) -> None:
    for name in names:
        lines = cause_lines(check_forms(name, file))
        if lines:
            more = f" (and {len(lines) - 1} more causes)" if len(lines) > 1 else ""
            raise BenchError(
                f"{name} fails the contract: {lines[0]}{more}; mend it until ue-bench "
                f"check-strategy {file} finds nothing"
            )

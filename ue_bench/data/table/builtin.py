"""Tables that have a name: two that the user gives as a file, and those of the package index."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from ue_bench.data.table import babynames, baseball, flights
from ue_bench.data.table.definition import Definition, Form, is_pattern
from ue_bench.data.table.packaged_table import PackagedTable
from ue_bench.errors import BenchError

if TYPE_CHECKING:
    from ue_bench.data.table.table_files import TableFiles

INTEGERS = tuple(f"I{n}" for n in range(1, 14))
CATEGORIES = tuple(f"C{n}" for n in range(1, 27))
CRITEO_FORM = Form(separator="\t", quotes=False, columns=("label", *INTEGERS, *CATEGORIES))
AVAZU = (
    "C1",
    "banner_pos",
    "site_id",
    "site_domain",
    "site_category",
    "app_id",
    "app_domain",
    "app_category",
    "device_id",
    "device_ip",
    "device_model",
    "device_type",
    "device_conn_type",
    *(f"C{n}" for n in range(14, 22)),
)


@dataclass(frozen=True)
class BuiltIn:
    """A table that has a name.

    definition: its `files` is only a name. source: where the rows come from.
    find_files: finds the files, given --data-dir and the cache (None: `cache_folder`).
    refused: why a column of the source is no feature, by its name.
    """

    definition: Definition
    source: str
    find_files: Callable[[Path | None, Path | None], "TableFiles"]
    refused: Mapping[str, str] = field(default_factory=dict)


def _criteo_files(data_dir: Path | None, cache: Path | None) -> "TableFiles":
    return _given_file("criteo", CRITEO_FORM, data_dir)


def _avazu_files(data_dir: Path | None, cache: Path | None) -> "TableFiles":
    return _given_file("avazu", Form(quotes=False), data_dir)


def _given_file(name: str, form: Form, data_dir: Path | None) -> "TableFiles":
    """Return the one file that --data-dir names, plain or gzipped, whatever its name."""
    from ue_bench.data.table.table_files import find

    if data_dir is None:
        raise BenchError(
            f"{name} may not be fetched by a program: "
            "get its training file and give it with --data-dir FILE"
        )
    if is_pattern(data_dir.name):
        raise BenchError(f"--data-dir {data_dir}: {name} is one file; give its path")
    return find(data_dir.parent, data_dir.name, form)


def _packaged(table: PackagedTable) -> BuiltIn:
    return BuiltIn(
        definition=table.definition,
        source="pypi",
        find_files=table.find_files,
        refused=table.refused,
    )


TABLES = {
    "criteo": BuiltIn(
        definition=Definition(
            files="criteo",
            target="label",
            features=(*INTEGERS, *CATEGORIES),
            # no column is a user or an item; these have the most values in the training file
            entities=("C3", "C12"),
            numeric=INTEGERS,
        ),
        source="file",
        find_files=_criteo_files,
    ),
    "avazu": BuiltIn(
        definition=Definition(
            files="avazu",
            target="click",
            features=AVAZU,
            time="hour",
            entities=("device_id", "device_ip"),
        ),
        source="file",
        find_files=_avazu_files,
    ),
    "flights": _packaged(flights.TABLE),
    "baseball": _packaged(baseball.TABLE),
    "babynames": _packaged(babynames.TABLE),
}

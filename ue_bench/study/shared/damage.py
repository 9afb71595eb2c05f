"""Whether a shared storage holds what Optuna and the workers wrote, and why not."""

from pathlib import Path

from optuna.exceptions import StorageInternalError
from optuna.storages import RDBStorage
from sqlalchemy import Engine, inspect, text
from sqlalchemy.exc import SQLAlchemyError

from ue_bench.study.optuna_file import (
    VERSION_TABLES,
    Damaged,
    columns_of_optuna,
    reason,
    require_intact,
)
from ue_bench.study.shared.chains import chains
from ue_bench.study.shared.part_name import PartName

ALEMBIC = "alembic_version"


def require_tables(engine: Engine, file: Path | None) -> None:
    """Raise Damaged if a table or a column of Optuna's is missing, and others have content.

    Optuna would make a missing table anew, and what was in it would be gone without a word. file:
    that of a SQLite storage, which has to be intact.
    """
    if file is not None:
        require_intact(file)
    inspector = inspect(engine)
    expected = columns_of_optuna()
    missing = sorted(expected.keys() - set(inspector.get_table_names()))
    for table in sorted(expected.keys() - set(missing)):
        there = {column["name"] for column in inspector.get_columns(table)}
        for column in expected[table]:
            if column not in there:
                raise Damaged(f"its table {table} has no column {column}")
    if missing and _has_content(engine, expected.keys() - VERSION_TABLES - set(missing)):
        raise Damaged(f"it has no table {missing[0]}")
    if ALEMBIC not in missing:
        with engine.connect() as connection:
            if len(connection.execute(text(f"SELECT 1 FROM {ALEMBIC}")).all()) > 1:  # nosec B608
                raise Damaged(f"its table {ALEMBIC} names several versions")


def require_readable(storage: RDBStorage) -> None:
    """Raise Damaged if the trials of a study cannot be read, and what a failed query raises."""
    for study in storage.get_all_studies():
        name = study.study_name
        try:
            study_id = storage.get_study_id_from_name(name)
            trials = storage.get_all_trials(study_id, deepcopy=False)
            storage._get_stale_trial_ids(study_id)  # reads the heartbeats
            if PartName.read(name):
                chains(trials)
        except (SQLAlchemyError, StorageInternalError, MemoryError):
            raise
        # Damage can raise whatever SQLAlchemy, Optuna and its decoders raise.
        except Exception as error:
            raise Damaged(f"the trials of {name!r}: {reason(error)}") from None


def _has_content(engine: Engine, tables: set[str]) -> bool:
    """Return whether one of these tables has a row."""
    with engine.connect() as connection:
        for table in tables:
            query = f"SELECT 1 FROM {table} LIMIT 1"  # nosec B608 # names of Optuna's tables
            if connection.execute(text(query)).first():
                return True
    return False

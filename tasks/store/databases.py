"""SQLite databases of a home, which belong to MLflow and Prefect: detection of damage, and renaming of damaged ones."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path
from urllib.parse import quote

from songform.errors import first_line
from tasks.store.corpus import Corpus
from tasks.store.damaged_files import set_aside

__all__ = ["database_fault", "mlflow_database", "mlflow_fault", "set_aside_database"]

_LOGS = ("-wal", "-shm")  # files of the write-ahead log, see https://www.sqlite.org/walformat.html
_TEMPORARY = (
    sqlite3.SQLITE_BUSY,
    sqlite3.SQLITE_LOCKED,
    sqlite3.SQLITE_CANTOPEN,
    sqlite3.SQLITE_PERM,
    sqlite3.SQLITE_READONLY,
    sqlite3.SQLITE_IOERR,
    sqlite3.SQLITE_FULL,
    sqlite3.SQLITE_NOMEM,
)


def mlflow_fault(corpus: Corpus) -> str | None:
    """Return what is wrong with MLflow's database of a home, or None if it can be used or does not exist.

    A process that is killed while it creates the database may leave an empty file, which MLflow can use. If there are
    files of runs, however, the database was not empty before.
    """
    database = mlflow_database(corpus)
    if database.is_file() and not database.stat().st_size and (corpus.mlruns / "artifacts").is_dir():
        return "it is empty"
    return database_fault(database, "experiments")


def mlflow_database(corpus: Corpus) -> Path:
    """Return the path of MLflow's database of a home."""
    return corpus.mlruns / "mlflow.db"


def database_fault(database: Path, table: str) -> str | None:
    """Return what is wrong with a database, or None if it can be used or does not exist.

    Parameters
    ----------
    database : Path
        Path of the database.
    table : str
        Table that it must have, unless it has no tables at all. A process that is killed while it creates the database
        may leave it without tables, or without some of them; its program then creates the others.
    """
    if not database.exists():
        return None
    if not database.is_file():
        return "it is not a file"
    try:
        return _content_fault(database, table)
    except sqlite3.DatabaseError as error:
        return None if _is_temporary(error) else first_line(error)


def _content_fault(database: Path, table: str) -> str | None:
    with closing(sqlite3.connect(f"file:{quote(str(database))}?mode=ro", uri=True)) as connection:
        state = str(connection.execute("pragma quick_check(1)").fetchone()[0])
        rows = connection.execute("select name from sqlite_master where type = 'table'").fetchall()
    if state != "ok":
        return state.splitlines()[0]
    return f"it has no table {table}" if rows and (table,) not in rows else None


def set_aside_database(database: Path) -> Path:
    """Rename a damaged database together with its write-ahead log, and return its new path.

    A log that stayed behind would be applied to the next database of the same name.
    """
    aside = set_aside(database)
    for end in _LOGS:
        log = database.with_name(database.name + end)
        if log.exists():
            log.rename(aside.with_name(aside.name + end))
    return aside


def _is_temporary(error: sqlite3.DatabaseError) -> bool:
    """Return whether the system or another process is the cause, and not the content of the database."""
    return (getattr(error, "sqlite_errorcode", 0) & 0xFF) in _TEMPORARY  # the other bits specify the primary code

"""Damage of SQLite databases is found, and the write-ahead log moves with its database."""

from __future__ import annotations

import random
import sqlite3
from contextlib import closing

import pytest

from tasks.store.corpus import Corpus
from tasks.store.databases import database_fault, mlflow_database, mlflow_fault, set_aside_database


@pytest.fixture
def database(tmp_path):
    path = tmp_path / "a home?#%20" / "x.db"
    path.parent.mkdir()
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute("create table runs (id integer primary key, name text)")
        connection.executemany("insert into runs (name) values (?)", [(f"run {i}" * 40,) for i in range(500)])
        connection.execute("create index by_name on runs (name)")
    return path


def overwritten(content, start, end):
    return content[:start] + random.Random(0).randbytes(end - start) + content[end:]


DAMAGE = {
    "random bytes of equal size": lambda content: overwritten(content, 0, len(content)),
    "zeros": lambda content: bytes(len(content)),
    "text": lambda content: b"not a database\n" * 100,
    "the header is lost": lambda content: overwritten(content, 0, 100),
    "the second half is missing": lambda content: content[: len(content) // 2],
    "pages in the middle are overwritten": lambda content: overwritten(content, 8192, len(content) - 8192),
}


def test_intact_database_has_no_fault_and_neither_has_a_missing_one(database):
    assert database_fault(database, "runs") is None
    assert database_fault(database.with_name("missing.db"), "runs") is None


@pytest.mark.parametrize("kind", DAMAGE)
def test_damage_is_found_and_nothing_is_changed(database, kind):
    content = DAMAGE[kind](database.read_bytes())
    database.write_bytes(content)
    fault = database_fault(database, "runs")
    assert fault
    assert "\n" not in fault
    assert database.read_bytes() == content
    assert [path.name for path in database.parent.iterdir()] == ["x.db"]


def test_database_of_another_program_has_a_fault(database):
    assert database_fault(database, "experiments") == "it has no table experiments"


@pytest.mark.parametrize("with_runs", [False, True])
def test_empty_database_of_mlflow_has_a_fault_if_there_were_runs(tmp_path, with_runs):
    """A process that is killed while it creates a database leaves an empty file, which is no damage."""
    corpus = Corpus(tmp_path)
    corpus.prepare()
    mlflow_database(corpus).touch()
    if with_runs:
        (corpus.mlruns / "artifacts").mkdir()
    assert mlflow_fault(corpus) == ("it is empty" if with_runs else None)
    assert database_fault(mlflow_database(corpus), "runs") is None


def test_database_that_is_a_folder_has_a_fault(tmp_path):
    (tmp_path / "x.db").mkdir()
    assert database_fault(tmp_path / "x.db", "runs") == "it is not a file"


def test_locked_database_has_no_fault(database, monkeypatch):
    connect = sqlite3.connect
    monkeypatch.setattr(sqlite3, "connect", lambda *args, **more: connect(*args, **more, timeout=0.0))
    with closing(connect(database)) as connection:
        connection.execute("begin exclusive")
        assert database_fault(database, "runs") is None


def test_write_ahead_log_moves_with_its_database(database):
    """Rows that are only in the log belong to the renamed database and must not be applied to the next one."""
    connection = sqlite3.connect(database)
    connection.execute("pragma journal_mode=wal")
    connection.execute("insert into runs (name) values ('the last run')")
    connection.commit()
    aside = set_aside_database(database)
    connection.close()
    assert [path.name for path in database.parent.iterdir() if not path.name.startswith("x.db.damaged-1")] == []
    with closing(sqlite3.connect(aside)) as connection:
        assert connection.execute("select count(*) from runs where name = 'the last run'").fetchone() == (1,)

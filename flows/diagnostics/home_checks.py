"""Checks of the files of a home: records, tables, models and databases.

Every file is read completely, and all damaged files are named. Nothing is changed.
"""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from functools import partial
from pathlib import Path

from flows.diagnostics.check import Check
from songform.errors import SongformError, UnreadableFileError
from tasks.settings import Settings
from tasks.store.corpus import Corpus
from tasks.store.damaged_files import set_aside_files
from tasks.store.tracks import TrackRecord

__all__ = ["check_corpus", "check_mlflow_store", "check_models", "check_prefect_database", "check_renamed_files"]


def check_corpus(home: Path, settings: Settings) -> Check:
    """Check that the records, the tables of finished tracks and of all songs, and people's labels can be read."""
    from songform.annotation.formats import read_annotation, read_beats
    from tasks.store.tables import has_features, lacks_spectrum

    corpus = Corpus(home)
    found = corpus.read_records()
    records, n_tracks = found.records, len(found.records) + len(found.errors)
    if not n_tracks:
        return Check("corpus", "ok", "no tracks yet; add some with songform ingest SOURCE")
    done = [record for record in records if record.status == "done"]
    whole = [record for record in done if has_features(corpus, record, settings)]
    without = lacks_spectrum(corpus, whole, settings)
    cut, damaged = _cut_tables(corpus, done, settings), _faults(_table_checks(corpus, done, settings))
    beats, songs = _faults(_beat_checks(corpus, done, settings)), _faults(_song_table_checks(corpus))
    labels = _faults(
        [
            *(partial(read_annotation, path) for path in corpus.annotation_files()),
            *(partial(read_beats, path) for path in corpus.beat_files()),
        ]
    )
    n_lost = len({one.key for one in done} - {one.key for one in whole} - {error.path.stem for error in cut})
    finding = f"{n_tracks} track{'' if n_tracks == 1 else 's'}, {len(done)} done, {len(records) - len(done)} failed"
    if n_lost:
        finding = f"{finding}; {n_lost} without features for the current settings"
    of_tracks = [*found.problems, *map(str, cut), *damaged]
    finding = "; ".join([finding, *map(_what, (*of_tracks, *beats, *songs, *labels))])
    fixes = zip(_CORPUS_FIXES, (of_tracks or n_lost, beats, songs, labels), strict=True)
    if mend := ", and ".join(fix for fix, faults in fixes if faults):
        return Check("corpus", "failure", finding, mend)
    if without:
        finding = f"{finding}; {len(without)} without a semitone spectrum, ingested by an earlier version of songform"
        return Check("corpus", "warning", finding, "run songform ingest --upgrade, which computes it")
    return _well("corpus", finding)


_CORPUS_FIXES = (
    "ingest tracks again to restore their records and features",
    "analyze songs again to restore their beats",
    "analyze songs again to restore segments.parquet and sections.parquet",
    "run songform annotate again to restore label files",
)


def check_models(home: Path) -> Check:
    """Check that the models and the states that the trainings computed can be read."""
    corpus = Corpus(home)
    bundles = _folders(corpus.bundle_path(""))
    of_models, of_states = list(_bundle_faults(bundles)), _faults(_state_checks(corpus))
    finding = "; ".join(
        [f"{len(bundles)} model{'' if len(bundles) == 1 else 's'}", *map(_what, (*of_models, *of_states))]
    )
    fixes = zip((_MODEL_FIX, _STATES_FIX), (of_models, of_states), strict=True)
    mend = "; ".join(fix for fix, faults in fixes if faults)
    return Check("models", "failure", finding, mend) if mend else _well("models", finding)


_MODEL_FIX = (
    "run songform train, which restores the model of the current tracks; delete the folder of an earlier model that is "
    "still damaged then, or use it with songform analyze --model, which restores it from MLflow's store"
)
# `train` reads only the states that a new training needs, so it does not repair those of earlier tracks or settings.
_STATES_FIX = "delete the damaged files in data/states; a training that needs them computes them again"


def check_mlflow_store(home: Path) -> Check:
    """Check that MLflow's database can be read and was made at this path."""
    from tasks.store.databases import mlflow_database, mlflow_fault

    corpus = Corpus(home)
    database = mlflow_database(corpus)
    if not database.exists():
        return _well("MLflow store", "none yet; the first training creates it")
    if fault := mlflow_fault(corpus):
        fix = "restore it from a backup, or run songform train, which renames it and records the current model again"
        return Check("MLflow store", "failure", f"{database} is damaged ({fault})", fix)
    with closing(sqlite3.connect(f"{database.as_uri()}?mode=ro", uri=True)) as connection:
        if not connection.execute("select 1 from sqlite_master where name = 'runs'").fetchone():
            return _well("MLflow store", "empty; the first training fills it")
        runs = connection.execute("select count(*) from runs").fetchone()[0]
        places = connection.execute("select artifact_location from experiments where name <> 'Default'").fetchall()
    moved = [place for (place,) in places if not place.startswith(corpus.mlruns.as_uri())]
    if moved:
        finding = f"created at another path: {moved[0]}"
        return Check("MLflow store", "failure", finding, "move the home back to that path")
    return _well("MLflow store", f"{runs} runs")


def check_prefect_database(home: Path) -> Check:
    """Check that Prefect's database can be read."""
    from flows.prefect_server.launch import DATABASE_TABLE, server_database
    from tasks.store.databases import database_fault

    database = server_database(home)
    if database is None or not database.exists():
        return _well("Prefect database", "none yet" if database else "not in this home")
    if fault := database_fault(database, DATABASE_TABLE):
        fix = "the next command that needs it renames it and creates another one"
        return Check("Prefect database", "failure", f"{database} is damaged ({fault})", fix)
    return _well("Prefect database", str(database))


def check_renamed_files(home: Path) -> Check:
    """List the damaged files that earlier commands renamed; those that are still in place belong to other checks."""
    corpus = Corpus(home)
    found = [path for folder in (corpus.data, corpus.mlruns, home / ".prefect") for path in set_aside_files(folder)]
    if not found:
        return _well("renamed files", "none; a command that finds a damaged file renames it")
    finding = f"damaged, and renamed by earlier commands: {', '.join(map(str, found))}"
    return Check(
        "renamed files", "warning", finding, "find out what damaged them, and delete them if you do not need them"
    )


def _well(name: str, finding: str) -> Check:
    return Check(name, "ok", finding)


def _what(fault: str) -> str:
    """Return the message of an error without its fix, which the check gives once for all."""
    return fault.rpartition("; ")[0] or fault


def _faults(checks: Iterable[Callable[[], object]]) -> list[str]:
    """Run checks that read files, on all cores, and return the errors."""
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        return [fault for fault in pool.map(_fault, checks) if fault]


def _fault(check: Callable[[], object]) -> str | None:
    try:
        check()
    except SongformError as error:
        return str(error)
    return None


def _cut_tables(corpus: Corpus, records: Iterable[TrackRecord], settings: Settings) -> list[UnreadableFileError]:
    """Return an error for each table whose size differs from its record."""
    from tasks.store.tables import size_errors

    return [error for one in records for error in size_errors(corpus, one, *_table_names(corpus, one, settings))]


def _table_checks(corpus: Corpus, records: Iterable[TrackRecord], settings: Settings) -> Iterator[Callable[[], object]]:
    """Yield a function that reads a table, for each table that has the size that its record states."""
    from tasks.store.tables import check_features, check_overview, check_spectrum

    checks = (check_features, check_overview, check_spectrum)
    for one in records:
        for name, check in zip(_table_names(corpus, one, settings), checks, strict=True):
            if corpus.has_files(one, name):
                yield partial(check, corpus, one.key, settings)


def _beat_checks(corpus: Corpus, records: Iterable[TrackRecord], settings: Settings) -> Iterator[Callable[[], object]]:
    from tasks.store.beat_tables import beats_config, check_beats

    config = beats_config(settings)
    paths = (corpus.beats_path(config, one.key) for one in records)
    return (partial(check_beats, path) for path in paths if path.exists())


def _song_table_checks(corpus: Corpus) -> Iterator[Callable[[], object]]:
    from tasks.store.tables import read_table

    paths = (corpus.segments_path, corpus.sections_path)
    return (partial(read_table, path) for path in paths if path.exists())


def _table_names(corpus: Corpus, record: TrackRecord, settings: Settings) -> tuple[str, str, str]:
    from tasks.store.tables import features_config, spectrum_config

    key = record.key
    features, overview = corpus.table_names(features_config(settings), key)
    return features, overview, corpus.spectrum_name(spectrum_config(settings), key)


def _bundle_faults(bundles: Iterable[Path]) -> Iterator[str]:
    from tasks.store.bundles import bundle_fault

    for folder in bundles:
        fault = bundle_fault(folder)
        if fault:
            yield f"{folder} is damaged ({fault}); "


def _state_checks(corpus: Corpus) -> Iterator[Callable[[], object]]:
    from songform.structure.states import StateModel
    from tasks.store.tables import read_table

    for folder in _folders(corpus.states_path("", "")):
        yield from (partial(StateModel.load, path) for path in folder.glob("model.npz"))
        yield from (partial(read_table, path) for path in sorted(folder.glob("*.parquet")))


def _folders(place: Path) -> list[Path]:
    """Return the folders in a folder, without temporary and renamed ones."""
    return sorted(folder for folder in place.glob("*") if folder.is_dir() and "." not in folder.name)

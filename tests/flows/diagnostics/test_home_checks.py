"""Every damaged file of a home is named by songform doctor, all at once, and none is changed."""

from __future__ import annotations

import shutil

import pytest

from flows.diagnostics.home_checks import (
    check_corpus,
    check_mlflow_store,
    check_models,
    check_prefect_database,
    check_renamed_files,
)
from tasks.store.beat_tables import beats_config
from tasks.store.corpus import Corpus
from tasks.store.damaged_files import set_aside
from tasks.store.tables import features_config, spectrum_config


@pytest.fixture
def home(trained, tmp_path):
    shutil.copytree(trained.home / "data", tmp_path / "home" / "data")
    return tmp_path / "home"


def middle_damaged(path):
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 0x55
    path.write_bytes(content)
    return path


def test_intact_home_has_no_damage(trained, quick):
    home = trained.home
    checks = [check_corpus(home, quick), check_models(home), check_mlflow_store(home), check_renamed_files(home)]
    assert [check.level for check in checks] == ["ok"] * 4
    assert checks[1].finding == "1 model"


def test_all_damaged_records_tables_and_labels_are_named_at_once(home, quick):
    corpus, config = Corpus(home), features_config(quick)
    keys = [record.key for record in corpus.records()]
    labels = corpus.annotations_path(keys[4]) / "Ana.jams"
    labels.parent.mkdir(parents=True)
    labels.write_bytes(b"{")
    corpus.segments_path.write_bytes(b"PAR1 no table")
    corpus.record_path(keys[0]).write_bytes(b"")
    corpus.record_path(keys[1]).write_bytes(b"[]")
    tables = [
        corpus.features_path(config, keys[2]),
        corpus.overview_path(config, keys[2]),
        corpus.features_path(config, keys[3]),
    ]
    damaged = [
        corpus.record_path(keys[0]),
        corpus.record_path(keys[1]),
        *map(middle_damaged, tables),
        corpus.segments_path,
    ]
    before = {path: path.read_bytes() for path in home.rglob("*") if path.is_file()}
    check = check_corpus(home, quick)
    assert check.level == "failure"
    assert all(str(path) in check.finding for path in damaged)
    assert labels.name in check.finding
    assert "6 tracks, 4 done" in check.finding
    assert check.mend == (
        "ingest tracks again to restore their records and features, and analyze songs again to restore "
        "segments.parquet and sections.parquet, and run songform annotate again to restore label files"
    )
    assert {path: path.read_bytes() for path in home.rglob("*") if path.is_file()} == before


def cut(path):
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    return path


@pytest.mark.parametrize("damage", [middle_damaged, cut])
def test_damaged_spectrum_is_named(home, quick, damage):
    corpus = Corpus(home)
    path = damage(corpus.spectrum_path(spectrum_config(quick), corpus.records()[0].key))
    check = check_corpus(home, quick)
    assert (check.level, str(path) in check.finding) == ("failure", True)


def test_damaged_beats_and_tables_of_all_songs_are_named(home, quick):
    corpus = Corpus(home)
    beats = corpus.beats_path(beats_config(quick), corpus.records()[0].key)
    beats.parent.mkdir(parents=True, exist_ok=True)
    for path in (beats, corpus.sections_path):
        path.write_bytes(b"PAR1 no table")
    check = check_corpus(home, quick)
    assert check.level == "failure"
    assert all(str(path) in check.finding for path in (beats, corpus.sections_path))
    assert check.mend == (
        "analyze songs again to restore their beats, and analyze songs again to restore segments.parquet and "
        "sections.parquet"
    )


def test_tracks_without_spectrum_are_a_warning_that_says_how_to_upgrade_them(home, quick):
    shutil.rmtree(home / "data" / "spectrum")
    check = check_corpus(home, quick)
    assert (check.level, check.is_well) == ("warning", True)
    assert "6 without a semitone spectrum" in check.finding
    assert "songform ingest --upgrade" in check.mend


def test_tables_of_another_size_are_named_and_missing_ones_are_counted(home, quick):
    corpus, config = Corpus(home), features_config(quick)
    keys = [record.key for record in corpus.records()]
    half, short = cut(corpus.features_path(config, keys[0])), corpus.overview_path(config, keys[1])
    short.write_bytes(b"zz")
    corpus.features_path(config, keys[2]).unlink()
    other = middle_damaged(corpus.overview_path(config, keys[0]))
    check = check_corpus(home, quick)
    assert check.level == "failure"
    assert str(other) in check.finding
    assert f"{half} cannot be read (it has {half.stat().st_size} bytes instead of " in check.finding
    assert f"{short} cannot be read (it has 2 bytes instead of " in check.finding
    assert "; 1 without features for the current settings; " in check.finding
    assert short.read_bytes() == b"zz"


def labels_damaged(corpus):
    path = corpus.annotations_path(corpus.records()[0].key) / "Ana.jams"
    path.parent.mkdir(parents=True)
    path.write_bytes(b"{")


def beats_damaged(corpus):
    path = corpus.annotations_path(corpus.records()[0].key) / "Ana.beats"
    path.parent.mkdir(parents=True)
    path.write_bytes(b"x")


@pytest.mark.parametrize(
    ("damage", "mend"),
    [
        (
            lambda corpus: corpus.record_path("web-0").touch(),
            "ingest tracks again to restore their records and features",
        ),
        (
            lambda corpus: corpus.segments_path.write_bytes(b""),
            "analyze songs again to restore segments.parquet and sections.parquet",
        ),
        (labels_damaged, "run songform annotate again to restore label files"),
        (beats_damaged, "run songform annotate again to restore label files"),
    ],
)
def test_only_the_fixes_that_apply_are_given(home, quick, damage, mend):
    damage(Corpus(home))
    assert check_corpus(home, quick).mend == mend


def test_all_damaged_models_and_states_are_named_at_once(home, trained):
    corpus = Corpus(home)
    other = shutil.copytree(trained.folder, corpus.bundle_path("0123456789ab"))
    states = corpus.states_path(trained.plan.states_id, "")
    damaged = [states / "model.npz", states / f"{trained.plan.keys[0]}.parquet"]
    for path in (*damaged, other / "network.npz", corpus.bundle_path(trained.plan.bundle_id) / "bundle.json"):
        path.write_bytes(b"")
    check = check_models(home)
    assert (check.level, "songform train" in check.mend) == ("failure", True)
    for path in (*damaged, other, corpus.bundle_path(trained.plan.bundle_id)):
        assert str(path) in check.finding
    assert check.finding.startswith("2 models; ")


def test_damaged_states_of_earlier_tracks_can_be_deleted(home):
    """No training with the current tracks reads them, so a training does not clear the failure."""
    path = Corpus(home).states_path("0123456789ab", "web-0.parquet")
    path.parent.mkdir()
    path.write_bytes(b"zz")
    check = check_models(home)
    assert check.level == "failure"
    assert check.mend == "delete the damaged files in data/states; a training that needs them computes them again"
    path.unlink()
    assert check_models(home).level == "ok"


@pytest.mark.parametrize("content", [bytes(10_000), b"SQLite format 3\0" + b"broken" * 1000])
def test_damaged_databases_are_failures(home, monkeypatch, content):
    monkeypatch.delenv("PREFECT_HOME")
    for check, path in (
        (check_mlflow_store, home / "mlruns" / "mlflow.db"),
        (check_prefect_database, home / ".prefect" / "prefect.db"),
    ):
        assert check(home).level == "ok"
        path.parent.mkdir()
        path.write_bytes(content)
        assert check(home).level == "failure"
        assert str(path) in check(home).finding
        assert path.read_bytes() == content


def test_renamed_files_are_a_warning_that_names_them(home):
    assert check_renamed_files(home).level == "ok"
    (home / "mlruns").mkdir()
    (home / "mlruns" / "mlflow.db").touch()
    renamed = [
        set_aside(home / "mlruns" / "mlflow.db"),
        set_aside(Corpus(home).record_path(Corpus(home).records()[0].key)),
    ]
    check = check_renamed_files(home)
    assert (check.level, check.is_well) == ("warning", True)
    assert all(str(path) in check.finding for path in renamed)

"""Doctor: it finds what is broken, says how to mend it, and never faints."""

from __future__ import annotations

import os
import shutil
import sqlite3
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from importlib.metadata import PackageNotFoundError

import pytest

import flows.diagnostics.doctor
from flows.diagnostics.doctor import Check, examine
from songform.errors import TrackError
from tasks.settings import Settings
from tasks.store.corpus import Corpus


def found(home, name, settings=Settings()):  # noqa: B008  frozen
    return {check.name: check for check in examine(home, lambda: settings)}[name]


@pytest.fixture
def home(extracted, tmp_path):
    shutil.copytree(extracted, tmp_path / "home")
    return tmp_path / "home"


def test_a_home_in_order_is_well(trained, quick):
    checks = examine(trained.home, lambda: quick)
    names = ["Python", "ffmpeg", "JavaScript runtime", "yt-dlp", "packages", "home", "settings", "corpus"]
    assert [check.name for check in checks] == [
        *names,
        *("MLflow store", "cookies", "playlists", "schedule", "alarms", "disk"),
    ]
    # How old yt-dlp is, and what room there is, depends on the day and the machine.
    ill = [check for check in checks if not check.is_well and check.name not in {"yt-dlp", "disk"}]
    assert ill == []
    assert "6 tracks, 6 done, 0 failed" in [check.finding for check in checks][7]


@pytest.mark.parametrize("command", ["doctor", "report", "evaluate", "status"])
def test_looking_leaves_no_trace(tmp_path, command):
    """In a process of its own: Prefect makes a folder when it is imported, which other tests have done here."""
    environment = {"PATH": os.environ["PATH"], "HOME": str(tmp_path)}
    words = [sys.executable, "-m", "flows.cli", command]
    run = subprocess.run(words, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False)
    assert run.returncode in (0, 4)
    assert "Warning" not in run.stderr
    assert list(tmp_path.iterdir()) == []
    words += ["--home", str(tmp_path / "new")]
    run = subprocess.run(words, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False)
    assert run.returncode == 4 or command == "doctor"
    assert "Warning" not in run.stderr
    assert list(tmp_path.iterdir()) == []


def test_tables_that_are_lost_or_of_other_settings_are_missed(home, quick):
    corpus = Corpus(home)
    assert found(home, "corpus", quick).is_well
    next((corpus.data / "features").rglob("*.parquet")).unlink()
    check = found(home, "corpus", quick)
    assert (check.is_well, check.mend) == (False, "ingest them again")
    assert check.finding.endswith("; 1 lack tables of these settings")
    other = Settings.model_validate({"features": {"n_mfcc": 20}})
    assert found(home, "corpus", other).finding.endswith("; 6 lack tables of these settings")


def test_a_record_that_cannot_be_read_is_named(home):
    path = Corpus(home).record_path(Corpus(home).records()[0].key)
    path.write_text("{")
    check = found(home, "corpus")
    assert not check.is_well
    assert str(path) in check.finding


def test_a_damaged_store_is_told(home):
    (home / "mlruns" / "mlflow.db").write_bytes(b"SQLite format 3\0" + b"broken" * 1000)
    check = found(home, "MLflow store")
    assert not check.is_well
    assert "is damaged" in check.finding
    assert "restore it from a copy" in check.finding


def test_a_home_that_was_moved_is_told_where_it_was(trained, tmp_path):
    (tmp_path / "mlruns").mkdir()
    with (
        sqlite3.connect(trained.home / "mlruns" / "mlflow.db") as one,
        sqlite3.connect(tmp_path / "mlruns" / "mlflow.db") as other,
    ):
        one.backup(other)
    one.close()
    other.close()
    check = found(tmp_path, "MLflow store")
    assert not check.is_well
    assert str(trained.home) in check.finding
    assert "move the home back" in check.mend
    assert found(trained.home, "MLflow store").is_well


def test_a_home_that_is_a_file_is_told(tmp_path):
    (tmp_path / "file").touch()
    assert not found(tmp_path / "file", "home").is_well
    assert not found(tmp_path / "file" / "home", "home").is_well
    assert found(tmp_path / "new" / "home", "home").is_well


@pytest.mark.parametrize(("days", "is_well"), [(1, True), (60, True), (61, False)])
def test_an_old_yt_dlp_is_no_longer_well(tmp_path, monkeypatch, days, is_well):
    day = datetime.now(UTC) - timedelta(days=days)
    monkeypatch.setattr(flows.diagnostics.doctor, "version", lambda name: f"{day.year}.{day.month}.{day.day}")
    check = found(tmp_path, "yt-dlp")
    assert check.is_well == is_well
    assert ("pip install --upgrade yt-dlp" in check.mend) != is_well


def test_the_age_at_which_yt_dlp_is_old_is_a_setting(tmp_path, monkeypatch):
    day = datetime.now(UTC) - timedelta(days=5)
    monkeypatch.setattr(flows.diagnostics.doctor, "version", lambda name: f"{day.year}.{day.month}.{day.day}.2359")
    for days, is_well in ((4, False), (5, True)):
        assert found(tmp_path, "yt-dlp", Settings.model_validate({"notify": {"yt_dlp_days": days}})).is_well == is_well


def watched(**notify):
    """Return settings with a playlist, and who is told."""
    return Settings.model_validate({"playlists": [{"url": "https://a.example/feed"}], "notify": notify})


def test_the_schedule_is_told_with_whether_anybody_keeps_it(tmp_path):
    assert found(tmp_path, "schedule").finding == "songform.toml lists no playlist"
    check = found(tmp_path, "schedule", watched())
    assert (check.is_well, check.finding) == (True, "1 playlist; songform schedule does not run")


def test_alarms_that_would_reach_nobody_are_told_and_the_webhook_stays_a_secret(tmp_path):
    assert found(tmp_path, "alarms") == Check("alarms", True, "none")
    assert found(tmp_path, "alarms", watched()).mend == "set notify.command or notify.webhook"
    both = watched(command=[sys.executable, "-c", ""], webhook="https://b.example/services/secret")
    assert found(tmp_path, "alarms", both).finding == f"command {sys.executable}, webhook at b.example"
    check = found(tmp_path, "alarms", watched(command=["no-such-program"]))
    assert (check.is_well, check.finding) == (False, "notify.command: there is no program no-such-program")


def test_little_room_is_told(tmp_path, monkeypatch):
    monkeypatch.setattr(
        flows.diagnostics.doctor.shutil, "disk_usage", lambda folder: shutil._ntuple_diskusage(10, 9, 2**30)
    )
    check = found(tmp_path, "disk")
    assert (check.is_well, check.finding) == (False, "1.0 GiB free")


def test_a_machine_without_ffmpeg_or_deno_is_told_how_to_get_them(tmp_path, monkeypatch):
    def none():
        raise TrackError("no ffmpeg was found; install ffmpeg", "environment")

    monkeypatch.setattr("tasks.ingest.ffmpeg.find_ffmpeg", none)
    monkeypatch.setattr(flows.diagnostics.doctor.shutil, "which", lambda name, path=None: None)
    assert found(tmp_path, "ffmpeg") == Check("ffmpeg", False, "no ffmpeg was found; install ffmpeg")
    assert "pip install deno" in found(tmp_path, "JavaScript runtime").mend


def test_a_check_that_breaks_does_not_stop_the_others(tmp_path, monkeypatch):
    monkeypatch.setattr(flows.diagnostics.doctor, "_disk", lambda home: 1 / 0)
    checks = examine(tmp_path, Settings)
    assert checks[-1] == Check("disk", False, "ZeroDivisionError: division by zero", "please report it")
    assert len(checks) == 14


@pytest.mark.parametrize("name", ["tensorflow", "tensorflow-cpu"])
def test_every_package_is_shown_with_its_version_whatever_tensorflow_is_called(tmp_path, monkeypatch, name):
    other = {"tensorflow": "tensorflow-cpu", "tensorflow-cpu": "tensorflow"}[name]

    def version(package):
        if package in {other, "keras"}:
            raise PackageNotFoundError(package)
        return "1.2.3"

    monkeypatch.setattr(flows.diagnostics.doctor, "version", version)
    check = found(tmp_path, "packages")
    assert "tensorflow 1.2.3, librosa 1.2.3" in check.finding
    assert (check.is_well, check.mend) == (False, "make install, or pip install keras")


def test_settings_that_cannot_be_read_are_one_line_and_the_rest_is_still_looked_at(songform, document, home):
    (home / "songform.toml").write_text("[model")
    result = songform("--home", home, "--json", "doctor")
    assert result.exit_code == 4
    checks = {check["name"]: check for check in document(result)["checks"]}
    assert "songform.toml cannot be read as TOML" in checks["settings"]["finding"]
    assert not checks["settings"]["is_well"]
    assert checks["corpus"]["is_well"]
    for name in ("cookies", "playlists", "schedule"):
        assert checks[name]["finding"] == "not looked at: the settings cannot be read"
    assert len(checks) == 14
    (home / "songform.toml").unlink()
    assert found(home, "settings").is_well


def test_the_command_ends_with_4_if_something_is_wrong(songform, document, tmp_path, monkeypatch):
    for is_well, code in ((True, 0), (False, 4)):
        monkeypatch.setattr(
            flows.diagnostics.doctor, "examine", lambda home, settings, w=is_well: [Check("x", w, "[b]y", "mend")]
        )
        result = songform("--home", tmp_path, "--json", "doctor")
        assert result.exit_code == code
        expected = {"name": "x", "is_well": is_well, "finding": "[b]y", "mend": "mend"}
        assert document(result) == {"checks": [expected]}
    assert "[b]y (mend)" in songform("--home", tmp_path, "doctor").stdout

"""Tests that the checks of songform doctor find problems, report fixes, and survive errors."""

from __future__ import annotations

import os
import shutil
import sqlite3
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from importlib.metadata import PackageNotFoundError

import pytest

import flows.diagnostics.system_checks
from flows.diagnostics.check import Check
from flows.diagnostics.system_checks import examine
from songform.errors import TrackError
from tasks.settings import Settings
from tasks.store.corpus import Corpus


def found(home, name, settings=Settings()):  # noqa: B008  frozen
    return {check.name: check for check in examine(home, lambda: settings)}[name]


@pytest.fixture
def home(extracted, tmp_path):
    shutil.copytree(extracted, tmp_path / "home")
    return tmp_path / "home"


def test_complete_home_passes_all_checks(trained, quick):
    checks = examine(trained.home, lambda: quick)
    names = ["Python", "ffmpeg", "JavaScript runtime", "yt-dlp", "packages", "home", "settings", "corpus"]
    assert [check.name for check in checks] == [
        *names,
        *("models", "MLflow store", "Prefect database", "renamed files"),
        *("cookies", "playlists", "schedule", "alarms", "disk"),
    ]
    # The age of yt-dlp and the free disk space depend on the day and the machine.
    unexpected = [check for check in checks if check.level != "ok" and check.name not in {"yt-dlp", "disk"}]
    assert unexpected == []
    assert "6 tracks, 6 done, 0 failed" in [check.finding for check in checks][7]


@pytest.mark.parametrize("command", ["doctor", "report", "evaluate", "status"])
def test_read_only_commands_create_no_files(tmp_path, command):
    """The command runs in a new process, because importing Prefect creates a folder, but only the first time."""
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


def test_missing_tables_and_tables_of_other_settings_are_counted(home, quick):
    corpus = Corpus(home)
    assert found(home, "corpus", quick).is_well
    next((corpus.data / "features").rglob("*.parquet")).unlink()
    check = found(home, "corpus", quick)
    assert check.level == "failure"
    assert "ingest tracks again" in check.mend
    assert "; 1 without features for the current settings" in check.finding
    other = Settings.model_validate({"features": {"n_mfcc": 20}})
    assert "; 6 without features for the current settings" in found(home, "corpus", other).finding


def test_unreadable_record_is_named(home):
    path = Corpus(home).record_path(Corpus(home).records()[0].key)
    path.write_text("{")
    check = found(home, "corpus")
    assert not check.is_well
    assert str(path) in check.finding


def test_damaged_store_is_reported(home):
    (home / "mlruns" / "mlflow.db").write_bytes(b"SQLite format 3\0" + b"broken" * 1000)
    check = found(home, "MLflow store")
    assert not check.is_well
    assert "is damaged" in check.finding
    assert "restore it from a backup" in check.mend


def test_moved_home_is_reported_with_its_former_path(trained, tmp_path):
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


def test_home_that_is_a_file_is_a_failure(tmp_path):
    (tmp_path / "file").touch()
    assert not found(tmp_path / "file", "home").is_well
    assert not found(tmp_path / "file" / "home", "home").is_well
    assert found(tmp_path / "new" / "home", "home").is_well


@pytest.mark.parametrize(("days", "level"), [(1, "ok"), (60, "ok"), (61, "warning"), (1000, "warning")])
def test_old_yt_dlp_is_a_warning(tmp_path, monkeypatch, days, level):
    day = datetime.now(UTC) - timedelta(days=days)
    monkeypatch.setattr(flows.diagnostics.system_checks, "version", lambda name: f"{day.year}.{day.month}.{day.day}")
    check = found(tmp_path, "yt-dlp")
    assert (check.level, check.is_well) == (level, True)
    assert ("pip install --upgrade yt-dlp" in check.mend) == (level == "warning")


def test_age_of_an_old_yt_dlp_is_a_setting(tmp_path, monkeypatch):
    day = datetime.now(UTC) - timedelta(days=5)
    monkeypatch.setattr(
        flows.diagnostics.system_checks, "version", lambda name: f"{day.year}.{day.month}.{day.day}.2359"
    )
    for days, level in ((4, "warning"), (5, "ok")):
        assert found(tmp_path, "yt-dlp", Settings.model_validate({"notify": {"yt_dlp_days": days}})).level == level


def watched(**notify):
    """Return settings with a playlist and the given recipients of alerts."""
    return Settings.model_validate({"playlists": [{"url": "https://a.example/feed"}], "notify": notify})


def test_schedule_is_reported_with_its_playlists_and_whether_it_is_running(tmp_path):
    assert found(tmp_path, "schedule").finding == "songform.toml lists no playlists"
    check = found(tmp_path, "schedule", watched())
    assert (check.level, check.finding) == ("ok", "1 playlist; songform schedule is not running")


def test_missing_or_unusable_recipients_of_alerts_are_reported_and_the_webhook_is_not_shown(tmp_path):
    assert found(tmp_path, "alarms") == Check("alarms", "ok", "none")
    check = found(tmp_path, "alarms", watched())
    assert (check.level, check.mend) == ("warning", "set notify.command or notify.webhook")
    both = watched(command=[sys.executable, "-c", ""], webhook="https://b.example/services/secret")
    assert found(tmp_path, "alarms", both).finding == f"command {sys.executable}, webhook at b.example"
    check = found(tmp_path, "alarms", watched(command=["no-such-program"]))
    assert check.level == "failure"
    assert "notify.command" in check.finding
    assert "no-such-program was not found" in check.finding
    assert "absolute path" in check.mend


@pytest.mark.parametrize(
    ("free", "level", "finding"),
    [
        (3 * 2**30, "ok", "3.0 GiB free"),
        (2**30, "warning", "1.0 GiB free"),
        (2**20, "failure", "0.0 GiB free"),  # not enough for one song
    ],
)
def test_little_disk_space_is_a_warning_and_almost_none_is_a_failure(tmp_path, monkeypatch, free, level, finding):
    monkeypatch.setattr(
        flows.diagnostics.system_checks.shutil, "disk_usage", lambda folder: shutil._ntuple_diskusage(10, 9, free)
    )
    check = found(tmp_path, "disk")
    assert (check.level, check.finding) == (level, finding)


def test_missing_ffmpeg_and_deno_are_reported_with_a_fix(tmp_path, monkeypatch):
    def none():
        raise TrackError("no ffmpeg was found; install ffmpeg", "environment")

    monkeypatch.setattr("tasks.ingest.ffmpeg.find_ffmpeg", none)
    monkeypatch.setattr(flows.diagnostics.system_checks.shutil, "which", lambda name, path=None: None)
    assert found(tmp_path, "ffmpeg") == Check("ffmpeg", "failure", "no ffmpeg was found; install ffmpeg")
    check = found(tmp_path, "JavaScript runtime")
    assert check.level == "warning"  # only YouTube needs deno
    assert "pip install deno" in check.mend


def test_defect_in_a_check_does_not_stop_the_others(tmp_path, monkeypatch):
    monkeypatch.setattr(flows.diagnostics.system_checks, "_disk", lambda home: 1 / 0)
    checks = examine(tmp_path, Settings)
    assert checks[-1] == Check("disk", "failure", "ZeroDivisionError: division by zero", "please report it")
    assert len(checks) == 17


@pytest.mark.parametrize("name", ["tensorflow", "tensorflow-cpu"])
def test_packages_are_shown_with_their_versions_under_either_name_of_tensorflow(tmp_path, monkeypatch, name):
    other = {"tensorflow": "tensorflow-cpu", "tensorflow-cpu": "tensorflow"}[name]

    def version(package):
        if package in {other, "keras"}:
            raise PackageNotFoundError(package)
        return "1.2.3"

    monkeypatch.setattr(flows.diagnostics.system_checks, "version", version)
    check = found(tmp_path, "packages")
    assert "tensorflow 1.2.3, librosa 1.2.3" in check.finding
    assert (check.level, check.mend) == ("failure", "make install, or pip install keras")


def test_unreadable_settings_are_reported_and_the_other_checks_still_run(songform, document, home):
    (home / "songform.toml").write_text("[model")
    result = songform("--home", home, "--json", "doctor")
    assert result.exit_code == 4
    checks = {check["name"]: check for check in document(result)["checks"]}
    assert "songform.toml cannot be read as TOML" in checks["settings"]["finding"]
    assert not checks["settings"]["is_well"]
    assert checks["corpus"]["is_well"]
    for name in ("cookies", "playlists", "schedule"):
        assert checks[name]["finding"].startswith("not checked: the settings cannot be read")
        assert checks[name]["mend"] == "fix the settings first"
    assert len(checks) == 17
    (home / "songform.toml").unlink()
    assert found(home, "settings").is_well


LEVELS = {"ok": 0, "warning": 0, "failure": 4}


@pytest.mark.parametrize("level", LEVELS)
def test_exit_code_is_4_for_a_failure_and_0_for_a_warning(songform, document, tmp_path, monkeypatch, level):
    checks = [Check("w", "ok", "fine"), Check("x", level, "[b]y", "mend")]
    monkeypatch.setattr(flows.diagnostics.system_checks, "examine", lambda home, settings: checks)
    result = songform("--home", tmp_path, "--json", "doctor")
    assert result.exit_code == LEVELS[level]
    fields = {"name": "x", "level": level, "is_well": level != "failure", "finding": "[b]y", "mend": "mend"}
    assert document(result)["checks"][1] == fields
    assert document(result)["problems"] == (["x: [b]y; mend"] if level == "failure" else [])


def test_text_output_shows_each_level_and_counts_warnings_and_failures(songform, tmp_path, monkeypatch):
    checks = [Check(level, level, "[b]y", "mend" if level != "ok" else "") for level in LEVELS]
    monkeypatch.setattr(flows.diagnostics.system_checks, "examine", lambda home, settings: checks)
    lines = songform("--home", tmp_path, "doctor").stdout.splitlines()
    assert [line.split() for line in lines[:-1]] == [
        ["ok", "ok", "[b]y"],
        ["warning", "warning", "[b]y;", "mend"],
        ["failure", "failure", "[b]y;", "mend"],
    ]
    assert lines[-1] == "3 checks: 1 warning and 1 failure"
    monkeypatch.setattr(flows.diagnostics.system_checks, "examine", lambda home, settings: checks[:1])
    assert songform("--home", tmp_path, "doctor").stdout.splitlines()[-1] == "1 check: all ok"

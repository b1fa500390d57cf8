"""Checks of this machine and of the home, and how to fix what is missing."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import sysconfig
from collections.abc import Callable
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from urllib.parse import urlsplit

from flows.diagnostics.check import Check
from flows.diagnostics.home_checks import (
    check_corpus,
    check_mlflow_store,
    check_models,
    check_prefect_database,
    check_renamed_files,
)
from flows.diagnostics.ingest_checks import check_cookies, check_playlists
from songform.errors import SettingsError, SongformError
from tasks.settings import Settings

__all__ = ["examine"]

_PACKAGES = ("prefect", "mlflow", "tensorflow", "keras", "librosa", "scikit-learn", "numpy", "pandas", "pyarrow")
_WARNING_FREE = 2 * 2**30  # bytes; with less free space, a long playlist may fill the disk
_FAILURE_FREE = 100 * 2**20  # bytes; with less, there is no space for the download and the features of one song


def examine(home: Path, read_settings: Callable[[], Settings]) -> list[Check]:
    """Run all checks; an error in one check does not stop the others.

    Parameters
    ----------
    home : Path
        Home of the corpus.
    read_settings : callable
        Function that returns the settings of the home. If it raises `SettingsError`, the corpus is checked with the
        default settings.
    """
    try:
        settings, problem = read_settings(), ""
    except SettingsError as error:
        settings, problem = Settings(), str(error)
    checks: list[tuple[str, Callable[[], Check]]] = [
        ("Python", _python),
        ("ffmpeg", _ffmpeg),
        ("JavaScript runtime", _javascript),
        ("yt-dlp", lambda: _yt_dlp(settings.notify.yt_dlp_days)),
        ("packages", _packages),
        ("home", lambda: _home(home)),
        ("settings", lambda: _settings(problem)),
        ("corpus", lambda: check_corpus(home, settings)),
        ("models", lambda: check_models(home)),
        ("MLflow store", lambda: check_mlflow_store(home)),
        ("Prefect database", lambda: check_prefect_database(home)),
        ("renamed files", lambda: check_renamed_files(home)),
        ("cookies", lambda: _unread("cookies") if problem else check_cookies(settings)),
        ("playlists", lambda: _unread("playlists") if problem else check_playlists(settings)),
        ("schedule", lambda: _unread("schedule") if problem else _schedule(home, settings)),
        ("alarms", lambda: _alarms(settings)),
        ("disk", lambda: _disk(home)),
    ]
    return [_checked(name, check) for name, check in checks]


def _checked(name: str, check: Callable[[], Check]) -> Check:
    try:
        return check()
    except SongformError as error:
        return Check(name, "failure", str(error))
    except Exception as error:  # noqa: BLE001  a defect in one check must not stop the others
        return Check(name, "failure", f"{type(error).__name__}: {error}", "please report it")


def _unread(name: str) -> Check:
    return Check(name, "failure", "not checked: the settings cannot be read", "fix the settings first")


def _python() -> Check:
    found = ".".join(map(str, sys.version_info[:3]))
    if (3, 11) <= sys.version_info[:2] <= (3, 13):
        return Check("Python", "ok", found)
    return Check("Python", "failure", found, "install Python 3.11 to 3.13")


def _ffmpeg() -> Check:
    from tasks.ingest.ffmpeg import ffmpeg_version, find_ffmpeg

    path = find_ffmpeg()
    return Check("ffmpeg", "ok", f"{ffmpeg_version(path)} at {path}")


def _javascript() -> Check:
    places = os.pathsep.join([sysconfig.get_path("scripts"), os.environ.get("PATH", "")])
    deno = shutil.which("deno", path=places)
    if deno is None:  # a warning only, because only YouTube needs it
        return Check(
            "JavaScript runtime",
            "warning",
            "deno is not installed, so YouTube offers only a few formats",
            "pip install deno",
        )
    found = subprocess.run(  # noqa: S603  a program on the user's path
        [deno, "--version"], capture_output=True, text=True, timeout=60, check=True, stdin=subprocess.DEVNULL
    )
    return Check("JavaScript runtime", "ok", f"{found.stdout.splitlines()[0]} at {deno}")


def _yt_dlp(most_days: int) -> Check:
    found = version("yt-dlp")
    year, month, day = (int(part) for part in found.split(".")[:3])
    age = (datetime.now(UTC) - datetime(year, month, day, tzinfo=UTC)).days
    finding = f"{found}, {age} days old"
    if age <= most_days:
        return Check("yt-dlp", "ok", finding)
    # A warning only, because most sites work with an old version.
    finding = f"{finding}; sites change, and an old version may no longer work"
    return Check("yt-dlp", "warning", finding, "pip install --upgrade yt-dlp yt-dlp-ejs")


def _packages() -> Check:
    versions = {name: _version(name) for name in _PACKAGES}
    # The smaller build of TensorFlow is a package with another name.
    versions["tensorflow"] = versions["tensorflow"] or _version("tensorflow-cpu")
    missing = [name for name, found in versions.items() if found is None]
    fix = f"make install, or pip install {' '.join(missing)}" if missing else ""
    finding = ", ".join(f"{name} {found}" for name, found in versions.items() if found)
    return Check("packages", "failure" if missing else "ok", finding, fix)


def _version(name: str) -> str | None:
    try:
        return version(name)
    except PackageNotFoundError:
        return None


def _home(home: Path) -> Check:
    folder = next(parent for parent in (home, *home.parents) if parent.exists())
    if os.access(folder, os.W_OK) and folder.is_dir():
        return Check("home", "ok", str(home))
    return Check("home", "failure", f"{home} cannot be written", "choose a writable folder with --home")


def _settings(problem: str) -> Check:
    return Check("settings", "failure", problem) if problem else Check("settings", "ok", "all valid")


def _schedule(home: Path, settings: Settings) -> Check:
    from flows.schedule.scheduler import is_scheduler_running

    if not settings.playlists:
        return Check("schedule", "ok", "songform.toml lists no playlists")
    n_playlists = len(settings.playlists)
    state = "is running" if is_scheduler_running(home) else "is not running"
    finding = f"{n_playlists} playlist{'s' if n_playlists > 1 else ''}; songform schedule {state}"
    return Check("schedule", "ok", finding)


def _alarms(settings: Settings) -> Check:
    notify = settings.notify
    ways = [f"command {notify.command[0]}"] if notify.command else []
    if notify.webhook:
        ways.append(f"webhook at {urlsplit(notify.webhook).hostname}")  # the rest of the address is secret
    if notify.command and shutil.which(notify.command[0]) is None:
        finding = f"notify.command: the program {notify.command[0]} was not found"
        return Check("alarms", "failure", finding, "give its absolute path")
    if settings.playlists and not ways:
        finding = "no notification is sent if a scheduled ingest fails"
        return Check("alarms", "warning", finding, "set notify.command or notify.webhook")
    return Check("alarms", "ok", ", ".join(ways) or "none")


def _disk(home: Path) -> Check:
    folder = next(parent for parent in (home, *home.parents) if parent.exists())
    free = shutil.disk_usage(folder).free
    finding = f"{free / 2**30:.1f} GiB free"
    if free >= _WARNING_FREE:
        return Check("disk", "ok", finding)
    return Check(
        "disk",
        "warning" if free >= _FAILURE_FREE else "failure",
        finding,
        "free some disk space; songform needs about 2 GiB",
    )

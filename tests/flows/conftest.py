"""One Prefect server and one trained corpus for all tests of flows, and the command line without a new process."""

from __future__ import annotations

import json
import random
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

import tasks.ingest.fetch.ytdlp
from flows.cli.app import app
from flows.demo import served_feed
from flows.prefect_server.launch import free_port, launched_server


@pytest.fixture(scope="session", autouse=True)
def _own_servers() -> Iterator[None]:
    """Let every command line fetch from the tests' own servers on loopback, without pauses."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SONGFORM_DOWNLOAD__ALLOW_PRIVATE", "true")
        patch.setenv("SONGFORM_DOWNLOAD__HOST_SECONDS", "0")
        yield


@pytest.fixture(scope="session")
def api(tmp_path_factory) -> Iterator[str]:
    """Start a Prefect server; subprocesses find it in the environment.

    Prefect reads its address when it is imported, and other tests have imported it by now: so it is told, too.
    """
    from prefect.logging.handlers import APILogHandler
    from prefect.settings import PREFECT_API_URL, temporary_settings

    with (
        launched_server(tmp_path_factory.mktemp("server"), free_port()) as server,
        temporary_settings({PREFECT_API_URL: server.api}),
        pytest.MonkeyPatch.context() as patch,
    ):
        server.wait()
        patch.setenv("PREFECT_API_URL", server.api)
        # The client's websocket stays open, and every 20 s a thread draws a ping from Python's one generator. It may be
        # while hypothesis draws from a strategy, which takes that for the strategy's doing: so it has one of its own.
        patch.setattr("websockets.asyncio.connection.random", random.Random(0))
        yield server.api
        APILogHandler().flush()  # or they are tried to be sent when the server is gone


@pytest.fixture(scope="session")
def feed(songs, tmp_path_factory) -> Iterator[str]:
    """Serve the songs as a podcast's feed on loopback."""
    with served_feed(tmp_path_factory.mktemp("feed"), songs, 0) as url:
        yield url


@dataclass(frozen=True)
class Ran:
    """A run of the whole pipeline: its report, when it began and ended, and when each file was written last."""

    home: Path
    feed: str
    report: Any
    began: datetime
    ended: datetime
    written: dict[Path, int]


@pytest.fixture(scope="session")
def first(api, feed, quick, extracted, tmp_path_factory) -> Ran:
    """Run everything on the feed; only the composed songs that judge models are there already, and short."""
    home = tmp_path_factory.mktemp("home")
    shutil.copytree(extracted / "data" / "composed", home / "data" / "composed")
    return _ran(home, feed, quick)


@pytest.fixture(scope="session")
def second(first, quick) -> Ran:
    """Run everything a second time."""
    return _ran(first.home, first.feed, quick)


def _ran(home: Path, feed: str, settings: Any) -> Ran:
    from flows.run import run

    began = datetime.now(UTC)
    report = run(home, [feed], settings, None, "test")
    written = {path: path.stat().st_mtime_ns for path in (home / "data").rglob("*") if path.is_file()}
    return Ran(home, feed, report, began, datetime.now(UTC), written)


@pytest.fixture
def no_pauses(monkeypatch) -> None:
    """Let yt-dlp try again at once."""
    monkeypatch.setattr(tasks.ingest.fetch.ytdlp, "backoff", lambda n: 0.0)


@pytest.fixture
def songform() -> Callable[..., Result]:
    """Return the command line; a defect raises in it."""

    def call(*arguments: object) -> Result:
        words = [str(argument) for argument in arguments]
        return CliRunner().invoke(app, words, prog_name="songform", catch_exceptions=False)

    return call


@pytest.fixture
def document() -> Callable[[Result], dict[str, Any]]:
    """Return the reader of the one JSON document on a call's standard output."""

    def read(result: Result) -> dict[str, Any]:
        value, end = json.JSONDecoder().raw_decode(result.stdout)
        assert result.stdout[end:] == "\n"
        return dict(value)

    return read

"""Fixtures of the tests of flows: a Prefect server, runs of the pipeline, and the command line in this process."""

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
    """Allow downloads from servers on loopback, without pauses between requests."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SONGFORM_DOWNLOAD__ALLOW_PRIVATE", "true")
        patch.setenv("SONGFORM_DOWNLOAD__HOST_SECONDS", "0")
        yield


@pytest.fixture(scope="session")
def api(tmp_path_factory) -> Iterator[str]:
    """Start a Prefect server for the session; subprocesses find its address in the environment.

    Other tests may have imported Prefect, which reads the address during the import, so Prefect's setting is changed,
    too.
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
        # A thread of the client's websocket uses Python's global random generator for a ping every 20 s. Hypothesis
        # would report this as an error if it happened within a strategy, so the websocket gets its own generator.
        patch.setattr("websockets.asyncio.connection.random", random.Random(0))
        yield server.api
        APILogHandler().flush()  # otherwise the logs would be sent after the server has stopped


@pytest.fixture(scope="session")
def feed(songs, tmp_path_factory) -> Iterator[str]:
    """Serve the songs as a podcast feed on loopback, and yield its address."""
    with served_feed(tmp_path_factory.mktemp("feed"), songs, 0) as url:
        yield url


@dataclass(frozen=True)
class Ran:
    """Run of the whole pipeline: its report, its start and end, and the modification time of each file."""

    home: Path
    feed: str
    report: Any
    began: datetime
    ended: datetime
    written: dict[Path, int]


@pytest.fixture(scope="session")
def first(api, feed, quick, extracted, tmp_path_factory) -> Ran:
    """Run the whole pipeline on the feed. The composed songs that models are scored on exist already and are short."""
    home = tmp_path_factory.mktemp("home")
    shutil.copytree(extracted / "data" / "composed", home / "data" / "composed")
    return _ran(home, feed, quick)


@pytest.fixture(scope="session")
def second(first, quick) -> Ran:
    """Run the whole pipeline a second time."""
    return _ran(first.home, first.feed, quick)


def _ran(home: Path, feed: str, settings: Any) -> Ran:
    from flows.run import run

    began = datetime.now(UTC)
    report = run(home, [feed], settings, None, "test")
    written = {path: path.stat().st_mtime_ns for path in (home / "data").rglob("*") if path.is_file()}
    return Ran(home, feed, report, began, datetime.now(UTC), written)


@pytest.fixture
def no_pauses(monkeypatch) -> None:
    """Let yt-dlp retry without pauses."""
    monkeypatch.setattr(tasks.ingest.fetch.ytdlp, "backoff", lambda n: 0.0)


@pytest.fixture
def songform() -> Callable[..., Result]:
    """Return a function that runs the command line in this process; unexpected exceptions are raised."""

    def call(*arguments: object) -> Result:
        words = [str(argument) for argument in arguments]
        return CliRunner().invoke(app, words, prog_name="songform", catch_exceptions=False)

    return call


@pytest.fixture
def document() -> Callable[[Result], dict[str, Any]]:
    """Return a function that reads the only JSON document on the standard output of a call."""

    def read(result: Result) -> dict[str, Any]:
        value, end = json.JSONDecoder().raw_decode(result.stdout)
        assert result.stdout[end:] == "\n"
        return dict(value)

    return read

"""Fixtures for tests in a real browser, which fail if a page prints errors or sends requests to the network."""

from __future__ import annotations

import shutil
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from tasks.report.index_page import write_index
from tasks.report.report_tracks import report_tracks
from tasks.store.bundles import OWN_MODEL
from tasks.store.corpus import Corpus

TIMEOUT = 30_000  # in milliseconds
# Without a GPU, without a sandbox (which containers do not support), and without Chromium's own network requests.
FLAGS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-dev-shm-usage",
    "--no-proxy-server",
    "--disable-background-networking",
)


@dataclass
class PageLog:
    """Errors, warnings, dialogs and requests of pages."""

    complaints: list[str] = field(default_factory=list)
    requests: list[str] = field(default_factory=list)

    def watch(self, page) -> None:
        """Record the page's console errors and warnings, exceptions, dialogs and requests from now on."""
        page.on(
            "console", lambda message: message.type in {"error", "warning"} and self.complaints.append(message.text)
        )
        page.on("pageerror", lambda error: self.complaints.append(str(error)))
        page.on("dialog", lambda dialog: (self.complaints.append(f"dialog: {dialog.message}"), dialog.dismiss()))
        page.on("request", lambda request: self.requests.append(request.url))

    @property
    def network(self) -> list[str]:
        """Addresses of requests that are neither for a file nor for data in the page itself."""
        return [url for url in self.requests if not url.startswith(("file:", "data:", "blob:"))]


@pytest.fixture(scope="module")
def chromium():
    """Start Debian's Chromium for one module only, because Playwright's event loop blocks other asyncio code."""
    from playwright.sync_api import sync_playwright

    program = shutil.which("chromium")
    if program is None:
        pytest.fail("this test needs Chromium; on Debian: apt-get install chromium")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=program, args=FLAGS)
        yield browser
        browser.close()


@pytest.fixture
def visit(chromium):
    """Return a function that opens a file in a new window; fail at the end if a page had errors or sent requests."""
    log, contexts = PageLog(), []

    def open_file(path: Path | str, *, width: int = 1280, height: int = 900, **more):
        context = chromium.new_context(viewport={"width": width, "height": height}, **more)
        contexts.append(context)
        page = context.new_page()
        page.set_default_timeout(TIMEOUT)
        log.watch(page)
        page.goto(f"file://{path}")
        return page

    yield open_file
    for context in contexts:
        context.close()
    assert log.complaints == []
    assert log.network == []


@pytest.fixture(scope="session")
def reported(extracted, quick, tmp_path_factory) -> Path:
    """Analyze two composed songs, and return the folder of their reports and their index page."""
    home = tmp_path_factory.mktemp("reported")
    shutil.copytree(extracted / "data", home / "data")
    keys = [record.key for record in Corpus(home).records()][:2]
    report_tracks.fn(home, keys, quick, OWN_MODEL, out=None, n_tracks=len(keys))
    return write_index(home, OWN_MODEL).path.parent

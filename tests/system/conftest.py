"""A real browser that may not stumble: every page that it opens must be silent on its console and on the network."""

from __future__ import annotations

import shutil
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from tasks.report.index_page import write_index
from tasks.report.song_reports import OWN_MODEL, report_tracks
from tasks.store.corpus import Corpus

PATIENCE = 30_000  # ms
# No GPU, no sandbox (in a container), and no calls home.
FLAGS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-dev-shm-usage",
    "--no-proxy-server",
    "--disable-background-networking",
)


@dataclass
class Watched:
    """What a page did that it should not have."""

    complaints: list[str] = field(default_factory=list)
    requests: list[str] = field(default_factory=list)

    def look_at(self, page) -> None:
        """Note complaints on the console, errors, dialogs, and requests beyond files and the page itself."""
        page.on(
            "console", lambda message: message.type in {"error", "warning"} and self.complaints.append(message.text)
        )
        page.on("pageerror", lambda error: self.complaints.append(str(error)))
        page.on("dialog", lambda dialog: (self.complaints.append(f"dialog: {dialog.message}"), dialog.dismiss()))
        page.on("request", lambda request: self.requests.append(request.url))

    @property
    def network(self) -> list[str]:
        """The requests that went anywhere but to a file, or into the page."""
        return [url for url in self.requests if not url.startswith(("file:", "data:", "blob:"))]


@pytest.fixture(scope="module")
def chromium():
    """Start Debian's Chromium, for one module: while Playwright runs, so does a loop in which nobody else can wait."""
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
    """Return the opener of a file, in a window of its own; at the end nothing may have been amiss."""
    watched, contexts = Watched(), []

    def open_file(path: Path | str, *, width: int = 1280, height: int = 900, **more):
        context = chromium.new_context(viewport={"width": width, "height": height}, **more)
        contexts.append(context)
        page = context.new_page()
        page.set_default_timeout(PATIENCE)
        watched.look_at(page)
        page.goto(f"file://{path}")
        return page

    yield open_file
    for context in contexts:
        context.close()
    assert watched.complaints == []
    assert watched.network == []


@pytest.fixture(scope="session")
def reported(extracted, quick, tmp_path_factory) -> Path:
    """Analyse two composed songs, and return the folder of their reports, with an index."""
    home = tmp_path_factory.mktemp("reported")
    shutil.copytree(extracted / "data", home / "data")
    keys = [record.key for record in Corpus(home).records()][:2]
    report_tracks.fn(home, keys, quick, OWN_MODEL, out=None, n_tracks=len(keys))
    return write_index(home, OWN_MODEL).path.parent

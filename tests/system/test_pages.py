"""Tests of MLflow's and Prefect's pages, as `songform ui` serves them, in a real browser.

They need Chromium (Debian: apt-get install chromium).
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
from contextlib import contextmanager

import pytest

from flows.prefect_server.launch import free_port
from tasks.settings import Settings

pytestmark = pytest.mark.system

TIMEOUT = 30_000  # in milliseconds
TRAININGS = (["--set", "model.seed=0"], ["--set", "model.seed=1", "--set", "sequences.hop_seconds=1"])
QUICK = ["--set", "sequences.seconds=4", "--set", "model.epochs=2", "--set", "model.batch_size=32"]


# Finds the nearest enclosing element that can be scrolled vertically.
SCROLLING = """
element => {
    while (element.scrollHeight <= element.clientHeight + 50 || getComputedStyle(element).overflowY === "visible") {
        element = element.parentElement
    }
    return element
}
"""


def command(home, *words):
    environment = {name: value for name, value in os.environ.items() if not name.startswith("PREFECT_")}
    return [sys.executable, "-m", "flows.cli", "--home", str(home), *words], environment


@pytest.fixture(scope="module")
def home(extracted, tmp_path_factory):
    home = tmp_path_factory.mktemp("home")
    shutil.copytree(extracted / "data", home / "data")
    return home


@pytest.fixture(scope="module")
def trainings(home):
    """Train twice with different settings, and return both JSON documents."""
    documents = []
    for settings in TRAININGS:
        line, environment = command(home, "--json", "train", *QUICK, *settings)
        run = subprocess.run(line, env=environment, capture_output=True, text=True, check=True)
        documents.append(json.loads(run.stdout))
    return documents


@pytest.fixture(scope="module")
def addresses(home, trainings):
    """Run `songform ui`, and yield the addresses that it prints."""
    line, environment = command(home, "ui", "--port", str(free_port()), "--prefect-port", str(free_port()))
    found = {}
    with subprocess.Popen(line, env=environment, stdout=subprocess.PIPE, text=True) as process:
        try:
            for text in process.stdout:
                name, _, rest = text.partition(": ")
                found[name] = rest.split()[0].partition("/#")[0] if rest else ""
                if text.startswith("Ctrl-C"):
                    break
            assert {"MLflow", "Prefect"} <= set(found), found
            yield found
        finally:
            process.send_signal(signal.SIGINT)
            process.wait(60)


@contextmanager
def browser():
    from playwright.sync_api import sync_playwright

    chromium = shutil.which("chromium")
    if chromium is None:
        pytest.fail("this test needs Chromium; on Debian: apt-get install chromium")
    with sync_playwright() as playwright:
        opened = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        try:
            yield opened
        finally:
            opened.close()


@pytest.fixture
def page():
    with browser() as opened:
        page = opened.new_page(viewport={"width": 1600, "height": 2400})
        page.set_default_timeout(TIMEOUT)
        yield page


def test_mlflow_compares_parameters_and_metrics_of_two_trainings(addresses, trainings, page):
    runs = json.dumps([training["run_id"] for training in trainings])
    page.goto(f'{addresses["MLflow"]}/#/compare-runs?runs={runs}&experiments=["1"]')
    page.get_by_text("Comparing 2 Runs").first.wait_for()
    page.get_by_text("states.transition_dwell_seconds").first.wait_for()
    text = page.inner_text("body")
    assert [name for name in Settings().flat() if name not in text] == []
    for name, values in (("model.seed", {"0", "1"}), ("sequences.hop_seconds", {"0.5", "1.0"})):
        assert {name, *values} == set(page.locator("tr", has_text=name).inner_text().split())
    table = page.get_by_text("centroid_accuracy").first.evaluate_handle(SCROLLING)
    seen = ""
    for top in range(0, 2000, 200):  # the page contains only the visible rows
        table.evaluate("(element, top) => { element.scrollTop = top }", top)
        page.wait_for_timeout(300)
        seen += page.inner_text("body")
    who = ("test", "majority", "persistence", "persistence_oracle", "logistic", "centroid")
    names = [f"{each}_{name}" for each in who for name in ("accuracy", "macro_f1", "log_loss")]
    assert [name for name in names if name not in seen] == []


def test_run_shows_its_training_curves(addresses, trainings, page):
    page.goto(f"{addresses['MLflow']}/#/experiments/1/runs/{trainings[0]['run_id']}/model-metrics")
    page.get_by_placeholder("Search metric charts").fill("(train|val)_(loss|accuracy)")
    for name in ("train_loss", "val_loss", "train_accuracy", "val_accuracy"):
        page.get_by_text(name, exact=True).first.wait_for()
        assert page.get_by_text(name, exact=True).first.is_visible()


@pytest.mark.parametrize("name", ["training_curves", "confusion_matrix", "cluster_profile", "metrics"])
def test_run_shows_its_pictures(addresses, trainings, page, name):
    run_id = trainings[0]["run_id"]
    page.goto(f"{addresses['MLflow']}/#/experiments/1/runs/{run_id}/artifacts/plots/{name}.png")
    picture = page.get_by_alt_text(f"plots/{name}.png").first
    picture.wait_for()
    assert picture.evaluate("image => image.complete && image.naturalWidth") >= 600


def test_prefect_shows_the_flow_runs(addresses, page):
    page.goto(f"{addresses['Prefect']}/runs")
    page.get_by_text("train for songform").nth(1).wait_for()
    text = page.inner_text("body")
    assert text.count("Completed") == 2
    assert "2 runs" in text

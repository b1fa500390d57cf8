"""Tests of the first analysis in an empty home: commands that are killed, and two at once. They take half a minute."""

from __future__ import annotations

import json
import os
import subprocess
import sys

import pytest

pytestmark = pytest.mark.system

STAGES = ("Extracting features", "Writing reports")


@pytest.fixture
def started(tmp_path, audio_files):
    """Return a function that starts an analysis of a song in an empty home, as a user without any cache."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("PREFECT_")}
    environment = {**kept, "XDG_CACHE_HOME": str(tmp_path / "cache"), "MPLCONFIGDIR": str(tmp_path / "cache" / "mpl")}
    words = [sys.executable, "-m", "flows.cli", "--home", str(tmp_path / "home"), "--json", "analyze"]

    def start():
        return subprocess.Popen(
            [*words, str(audio_files[0])], env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )

    return start


def finished(process):
    """Return the document that a process prints, and check that it succeeded."""
    stdout, stderr = process.communicate()
    assert process.returncode == 0, stderr
    document = json.loads(stdout)
    assert document["problems"] == []
    return document


def report_files(home):
    return sorted(path.name for path in home.glob("data/reports/own/*"))


@pytest.mark.parametrize("stage", STAGES)
def test_killed_analysis_is_finished_by_running_it_again(started, tmp_path, stage):
    process = started()
    assert any(stage in line for line in process.stderr)  # one line per stage
    process.kill()
    process.communicate()
    (report,) = finished(started())["reports"]
    assert len(report["segments"]) > 1
    files = report_files(tmp_path / "home")
    assert len([name for name in files if name.endswith(".png")]) == 7
    assert list((tmp_path / "home").rglob("*.tmp")) == []
    assert list((tmp_path / "home").rglob("*.damaged*")) == []


def test_two_first_analyses_of_a_song_at_once_both_succeed(started, tmp_path):
    processes = [started(), started()]
    one, other = [finished(process)["reports"][0] for process in processes]
    assert one == other
    assert list((tmp_path / "home").rglob("*.tmp")) == []
    assert len([name for name in report_files(tmp_path / "home") if name.endswith(".html")]) == 1

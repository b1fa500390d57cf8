"""Tests that an ingest and its worker processes have no slow imports that they do not need."""

from __future__ import annotations

import os
import subprocess
import sys

import numpy as np
import pytest
import soundfile

SLOW = {"librosa", "numba", "tensorflow", "keras", "sklearn", "matplotlib", "mlflow", "torch", "IPython"}
PARENT = """
import sys
from flows.cli.main import main
sys.argv = ["songform", *sys.argv[1:]]
try:
    main()
except SystemExit as end:
    assert not end.code, end.code
print("loaded:", *sorted({name.partition(".")[0] for name in sys.modules}))
"""
# Extracts a track in a worker process, and returns the modules that the process has loaded.
WORKER = """
import sys
from tasks.ingest.extraction_worker import extract_track

def loaded(job):
    made = extract_track(job)
    return [made.decoder, *sorted({name.partition(".")[0] for name in sys.modules})]
"""
ASKING = """
import sys
from pathlib import Path
from tasks.settings import Settings
from tasks.ingest.extraction_worker import ExtractionJob
from tasks.ingest.sources.local_files import local_listing
from tasks.process_pool import run_jobs
from worker import loaded

home, audio = map(Path, sys.argv[1:])
(track,) = local_listing(audio).tracks
((_, found),) = run_jobs(loaded, [ExtractionJob(home, track, audio, Settings(), None)], workers=1)
print("loaded:", *found)
"""


@pytest.fixture
def audio(tmp_path):
    path = tmp_path / "tiny.flac"
    soundfile.write(path, 0.1 * np.sin(np.arange(22050) / 10), 22050)
    return path


def loaded(program, *words, path):
    """Run a program with the given folder on its module path, and return the names of the modules that it prints."""
    environment = {**os.environ, "PYTHONPATH": str(path)}
    command = [sys.executable, "-c", program, *map(str, words)]
    run = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
    return set(run.stdout.rpartition("loaded:")[2].split())


@pytest.mark.usefixtures("api")
def test_ingest_of_a_file_has_no_slow_imports(audio, tmp_path):
    found = loaded(PARENT, "--home", tmp_path / "home", "ingest", audio, path=tmp_path)
    assert len(list((tmp_path / "home").rglob("*.parquet"))) == 3
    assert {"flows", "prefect", "pyarrow"} <= found
    assert found & SLOW == set()


def test_first_analysis_of_a_file_imports_neither_prefect_nor_mlflow(audio_files, tmp_path, monkeypatch):
    monkeypatch.delenv("PREFECT_API_URL", raising=False)
    home = tmp_path / "home"
    found = loaded(PARENT, "--home", home, "analyze", audio_files[0], "--no-pictures", path=tmp_path)
    assert {"flows", "bokeh", "pyarrow"} <= found
    assert found & {"prefect", "mlflow", "sqlalchemy", "tensorflow", "keras", "librosa", "numba"} == set()
    assert len(list(home.glob("data/reports/pretrained-*/*.html"))) == 1
    assert not (home / ".prefect").exists()


def test_extraction_worker_imports_neither_slow_modules_nor_those_of_the_command_line(audio, tmp_path):
    (tmp_path / "worker.py").write_text(WORKER)
    found = loaded(ASKING, tmp_path / "home", audio, path=tmp_path)
    assert {"songform", "scipy", "soundfile"} <= found
    assert found & (SLOW | {"prefect", "typer", "flows", "sqlalchemy", "yt_dlp"}) == set()

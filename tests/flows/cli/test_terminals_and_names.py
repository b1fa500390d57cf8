"""No terminal encoding and no name of a file causes a traceback."""

from __future__ import annotations

import json
import os
import subprocess
import sys

import pytest

from songform.errors import TrackError
from tasks.ingest.track_outcomes import record_failure
from tasks.store.corpus import Corpus
from tasks.store.tracks import Track

TITLE = "Là-bas 🎵 Ωμέγα"
TERMINALS = {
    "latin-1": {"PYTHONIOENCODING": "latin-1"},
    "ascii": {"PYTHONIOENCODING": "ascii"},
    "the C locale": {"LC_ALL": "C"},
    "the C locale without UTF-8 mode": {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"},
}
LONG = "x" * 300
NOT_UTF8 = os.fsdecode(b"\xff\xfe songs")


def run(home, *words, cwd=None, **environment):
    """Run the command line in a new process; return its exit code, standard output and standard error as bytes."""
    plain = {"PATH": os.environ["PATH"], "HOME": str(cwd or home), "PYTHONPATH": os.environ.get("PYTHONPATH", "")}
    command = [sys.executable, "-m", "flows.cli", *(["--home", home] if home else []), *words]
    ran = subprocess.run(command, env=plain | environment, cwd=cwd, capture_output=True, check=False)
    assert b"Traceback" not in ran.stdout + ran.stderr
    return ran.returncode, ran.stdout, ran.stderr


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    """Return a home with a failed track whose title is not ASCII."""
    home = tmp_path_factory.mktemp("home")
    Corpus(home).prepare()
    track = Track(key="web-0", title=TITLE, source="https://a.example/x.mp3")
    record_failure(Corpus(home), track, TrackError(f"{TITLE} is gone; check the address", "permanent"))
    return home


@pytest.mark.parametrize("terminal", TERMINALS)
def test_titles_are_printed_in_any_terminal(home, terminal):
    for words in (("status",), ("status", "--failed")):
        code, out, _ = run(home, *words, **TERMINALS[terminal])
        assert code == 0
        assert b"L" in out
        assert b"bas" in out
    code, out, _ = run(home, "--json", "status", **TERMINALS[terminal])
    assert code == 0
    assert json.loads(out)["tracks"][0]["title"] == TITLE


@pytest.mark.parametrize("terminal", TERMINALS)
@pytest.mark.parametrize("words", [("--help",), ("ingest", "--help"), ("nö-such-commänd 🎵",), ("doctor",)])
def test_help_errors_and_checks_are_printed_in_any_terminal(home, terminal, words):
    for more in ((), ("--json",)):
        code, out, err = run(home, *more, *words, **TERMINALS[terminal])
        assert code in (0, 2, 4)
        assert out or err


@pytest.mark.parametrize("name", [LONG, NOT_UTF8, "~nobody-has-this-name/x"])
@pytest.mark.parametrize("command", ["status", "doctor", "report", "evaluate", "train", "ingest", "schedule", "ui"])
def test_home_with_an_impossible_name_is_reported_in_one_sentence(tmp_path, name, command):
    words = [command, "song.wav"] if command == "ingest" else [command]
    code, out, _ = run(name, "--json", *words, cwd=tmp_path)
    assert code == 4
    assert "the home" in json.loads(out)["error"]
    assert "--home" in json.loads(out)["error"]
    assert list(tmp_path.iterdir()) == []


def test_working_folder_that_was_deleted_is_reported_in_one_sentence(tmp_path):
    gone = tmp_path / "gone"
    gone.mkdir()
    program = f"import os, sys; os.chdir({str(gone)!r}); os.rmdir({str(gone)!r}); from flows.cli.app import app; app()"
    command = [sys.executable, "-c", program, "--json", "status"]
    environment = {"PATH": os.environ["PATH"], "PYTHONPATH": os.environ.get("PYTHONPATH", "")}
    ran = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert "the current folder was deleted" in json.loads(ran.stdout)["error"]
    assert "Traceback" not in ran.stderr


@pytest.mark.parametrize("source", [LONG, NOT_UTF8, f"{LONG}/y.wav"])
@pytest.mark.parametrize("command", [("annotate",), ("annotate", "labels.lab")])
def test_source_with_an_impossible_name_is_reported_in_one_sentence(home, source, command):
    words = ["annotate", source] if len(command) == 1 else ["annotate", source, command[1]]
    code, out, _ = run(home, "--json", *words)
    assert code == 4
    assert json.loads(out)["error"]

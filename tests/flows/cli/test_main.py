"""Tests that the command line reports user errors as one sentence with an exit code."""

from __future__ import annotations

import errno
import functools
import json
import os
import subprocess
import sys
import threading
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from importlib.metadata import version
from pathlib import Path

import pytest

from flows.cli.app import COMMANDS
from flows.cli.console import DONE, INTERRUPTED, NOTHING_DONE, USAGE
from flows.cli.context import CommandContext
from tasks.store.atomic_files import temporary_path

EMPTY_FEED = '<?xml version="1.0"?><rss version="2.0"><channel><title>Nothing</title></channel></rss>'


class Pages(SimpleHTTPRequestHandler):
    """Request handler that serves a folder without logging."""

    def log_message(self, format, *args):  # noqa: A002  the name in the base class
        """Do nothing."""


@pytest.fixture(scope="module")
def pages(tmp_path_factory):
    """Serve a page without audio, and a feed without items."""
    folder = tmp_path_factory.mktemp("pages")
    (folder / "page.html").write_text("<html><body><p>Nothing to hear.</p></body></html>")
    (folder / "empty.rss").write_text(EMPTY_FEED)
    server = ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(Pages, directory=str(folder)))
    threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()


@pytest.fixture
def home(tmp_path):
    folder = tmp_path / "home"
    folder.mkdir()
    return folder


def said(result):
    """Return the only sentence on standard error, ignoring lines of progress."""
    lines = [line for line in result.stderr.splitlines() if line and not line.endswith(" ...")]
    assert len(lines) == 1, result.stderr
    assert lines[0].startswith("songform: ")
    assert "Traceback" not in result.stdout + result.stderr
    return lines[0].removeprefix("songform: ")


def files(home):
    return [path for path in home.rglob("*") if path.is_file()]


SOURCES = {
    "an unknown scheme": ("ftp://a.example/song.mp3", ["ftp://a.example/song.mp3", "http or https"]),
    "an unknown host": ("http://nowhere.invalid/feed", ["http://nowhere.invalid/feed", "its host is not found"]),
    "an address without anything": ("{pages}/gone.rss", ["{pages}/gone.rss", "404 Not Found", "check the address"]),
    "an unsupported page": ("{pages}/page.html", ["{pages}/page.html", "no audio on this page", "give the address of"]),
    "an empty playlist": ("{pages}/empty.rss", ["{pages}/empty.rss", "no tracks", "check"]),
    "a path that is not there": ("{home}/nowhere", ["{home}/nowhere", "does not exist", "check its spelling"]),
    "a folder without audio": ("{home}", ["{home}", "no tracks", "check"]),
    "an empty list": ("{home}/list.txt", ["{home}/list.txt", "no tracks", "check"]),
    "a file that is no audio": ("{home}/notes.pdf", ["{home}/notes.pdf", "neither a folder, a list", "convert it"]),
}


@pytest.mark.usefixtures("api", "no_pauses")
@pytest.mark.parametrize("case", SOURCES)
def test_source_without_tracks_is_reported_in_one_sentence(songform, document, pages, home, case):
    (home / "list.txt").write_text("# nothing yet\n\n")
    (home / "notes.pdf").write_bytes(b"%PDF")
    source, parts = SOURCES[case]
    result = songform("--home", home, "--json", "ingest", source.format(pages=pages, home=home))
    assert result.exit_code == NOTHING_DONE
    sentence = said(result)
    for part in parts:
        assert part.format(pages=pages, home=home) in sentence
    assert document(result) == {"error": sentence}
    left = {path for path in files(home) if path.parent != home / "data" / "hosts"}  # state of the rate limiter
    assert {path.name for path in left} == {"list.txt", "notes.pdf"}


@pytest.mark.parametrize("command", [["ingest", "x.mp3"], ["train"], ["run", "x.mp3"], ["analyze", "x.mp3"]])
def test_unwritable_home_is_reported_before_the_server_starts(songform, tmp_path, command):
    """The home, or a parent of it, is a file, so that even root cannot write to it."""
    (tmp_path / "file").touch()
    for home in (tmp_path / "file", tmp_path / "file" / "home"):
        result = songform("--home", home, *command)
        assert result.exit_code == NOTHING_DONE
        sentence = said(result)
        assert f"the home {home} cannot be written (" in sentence
        assert "--home" in sentence


@pytest.mark.parametrize("command", ["ingest", "run", "analyze"])
def test_missing_paths_are_reported_before_the_server_starts(songform, home, monkeypatch, command):
    monkeypatch.setattr("flows.prefect_server.connect.prefect_server", None)  # calling it raises TypeError
    result = songform("--home", home, command, home / "one", home / "two")
    assert result.exit_code == NOTHING_DONE
    first, *each = result.stderr.splitlines()
    assert first.startswith("songform: none of these sources")
    assert [line.split(";")[0] for line in each] == [f"- {home / name} does not exist" for name in ("one", "two")]
    assert said(songform("--home", home, command, home / "one")).startswith(f"{home / 'one'} does not exist; ")
    for other in ("http://a.example/feed", home):  # these may exist, so the server is started
        with pytest.raises(TypeError):
            songform("--home", home, command, home / "one", other)


SETTINGS = {
    "an unknown key": (
        "[sequences]\nsecond = 3",
        [],
        ["songform.toml", "no setting sequences.second;", "did you mean"],
    ),
    "a wrong type": ("[model]\nepochs = 'many'", [], ["songform.toml", "model.epochs cannot be 'many'", "integer"]),
    "not TOML": ("[model", [], ["songform.toml", "cannot be read as TOML", "fix"]),
    "an unknown name of --set": ("", ["--set", "model.epoch=3"], ["--set model.epoch=3", "did you mean model.epochs?"]),
    "a value out of range": ("", ["--set", "model.epochs=0"], ["--set model.epochs=0", "greater than or equal to 1"]),
    "not an assignment": ("", ["--set", "epochs"], ["--set epochs", "section.name=value"]),
}


@pytest.mark.parametrize("case", SETTINGS)
def test_invalid_setting_is_wrong_usage(songform, document, home, case):
    toml, options, parts = SETTINGS[case]
    (home / "songform.toml").write_text(toml)
    result = songform("--home", home, "--json", "train", *options)
    assert result.exit_code == USAGE
    sentence = said(result)
    assert all(part in sentence for part in parts), sentence
    assert document(result) == {"error": sentence}
    assert not (home / "data").exists()


@pytest.mark.usefixtures("api")
def test_training_on_an_empty_corpus_reports_how_to_add_tracks(songform, document, home):
    result = songform("--home", home, "--json", "train")
    assert result.exit_code == NOTHING_DONE
    sentence = said(result)
    assert f"the corpus in {home / 'data'} has no features with these settings" in sentence
    assert "songform ingest" in sentence
    assert document(result) == {"error": sentence}
    assert not (home / "mlruns" / "mlflow.db").exists()


@pytest.mark.usefixtures("api")
def test_run_in_which_every_track_fails_reports_each_failure(songform, document, home, audio_files, tmp_path):
    """Nothing is trained, even if the corpus contains other tracks."""
    assert songform("--home", home, "ingest", audio_files[0]).exit_code == DONE
    (tmp_path / "noise.mp3").write_bytes(b"no audio at all")
    (tmp_path / "rubbish.mp3").write_bytes(b"no audio either")
    result = songform("--home", home, "run", tmp_path / "noise.mp3", tmp_path / "rubbish.mp3")
    assert result.exit_code == NOTHING_DONE
    assert "none of these tracks could be ingested" in said(result)
    assert "nothing was trained" in said(result)
    for text in ("noise.mp3 contains no audio", "rubbish.mp3 contains no audio", "2 tracks: 2 failed"):
        assert text in " ".join(result.stdout.split())
    result = songform("--home", home, "--json", "run", tmp_path / "noise.mp3", tmp_path / "rubbish.mp3")
    assert result.exit_code == NOTHING_DONE
    told = document(result)
    assert told["error"] == said(result)
    assert ["contains no audio" in track["error"]["message"] for track in told["tracks"]] == [True, True]
    assert not (home / "mlruns" / "mlflow.db").exists()


@pytest.mark.usefixtures("api")
def test_run_that_cannot_train_still_reports_its_tracks(songform, document, home, audio_files):
    result = songform("--home", home, "--json", "run", audio_files[0], "--set", "sequences.seconds=60")
    assert result.exit_code == NOTHING_DONE
    assert "lower sequences.seconds" in document(result)["error"]
    assert [track["status"] for track in document(result)["tracks"]] == ["done"]


@pytest.mark.usefixtures("api")
def test_training_on_a_song_shorter_than_a_window_reports_both_lengths(songform, document, home, audio_files):
    assert songform("--home", home, "ingest", audio_files[0]).exit_code == DONE
    result = songform("--home", home, "--json", "train", "--set", "sequences.seconds=60")
    assert result.exit_code == NOTHING_DONE
    sentence = said(result)
    assert "the longest song is 2" in sentence
    assert "window needs 60 s" in sentence
    assert "lower sequences.seconds" in sentence
    assert document(result) == {"error": sentence}
    assert not (home / "mlruns" / "mlflow.db").exists()


@pytest.mark.usefixtures("api")
def test_missing_model_before_any_training_is_reported_in_one_sentence(songform, home, audio_files):
    result = songform("--home", home, "analyze", audio_files[0], "--model", "models:/songform/7")
    assert result.exit_code == NOTHING_DONE
    sentence = said(result)
    assert sentence.startswith(f"there is no model models:/songform/7: no model has been trained in {home} ")
    assert "songform train" in sentence
    assert not (home / "data" / "reports").exists()


def test_ingest_without_a_source_is_wrong_usage(songform, home):
    result = songform("--home", home, "ingest")
    assert result.exit_code == USAGE
    assert "needs a SOURCE" in said(result)


@pytest.mark.parametrize("words", [[], *([function.__name__] for function in COMMANDS)])
def test_help_shows_a_value_only_for_options_that_have_one(songform, words):
    result = songform(*words, "--help")
    assert result.exit_code == DONE
    assert "--json" in result.stdout
    assert "bool" not in result.stdout


@pytest.mark.parametrize("words", [["--version"], ["--json", "--version"]])
def test_version_is_printed(songform, words):
    result = songform(*words)
    assert (result.exit_code, result.stdout) == (DONE, f"songform {version('songform')}\n")


OUT = {"empty": ("", "--out is empty"), "a file": ("song.txt", "song.txt is a file")}
OUT |= {"inside a file": ("song.txt/a/b", "song.txt; give a folder")}


@pytest.mark.parametrize("case", OUT)
def test_unusable_output_folder_is_wrong_usage(songform, document, home, monkeypatch, case):
    out, message = OUT[case]
    monkeypatch.chdir(home)
    (home / "song.txt").touch()
    result = songform("--home", home, "--json", "analyze", "song.mp3", "--out", out)
    assert result.exit_code == USAGE
    assert message in document(result)["error"]
    assert files(home) == [home / "song.txt"]


def test_annotator_without_labels_is_wrong_usage(songform, document, extracted):
    result = songform("--home", extracted, "--json", "annotate", "song.mp3", "--annotator", "Ana")
    assert result.exit_code == USAGE
    assert "--annotator Ana needs a FILE" in document(result)["error"]


WRONG = {
    "an unknown command": (["sing"], "No such command 'sing'."),
    "a mistyped command": (["statsu"], "No such command 'statsu'. Did you mean 'status'"),
    "an unknown option": (["train", "--epochs", "3"], "No such option: --epochs"),
    "a number out of range": (["ingest", "--limit", "0", "x"], "Invalid value for '--limit'"),
    "not a number": (["demo", "--seed", "x"], "Invalid value for '--seed'"),
    "a missing argument": (["run"], "Missing argument 'SOURCE'."),
    "a missing value": (["status", "--home"], "Option '--home' requires an argument."),
    "an extra argument": (["doctor", "x"], "Got unexpected extra argument"),
    "a blank name": (["train", "--experiment", " "], "Invalid value for '--experiment': the name is blank"),
    "no command": ([], "Missing command."),
}


def without_box(text):
    """Return text without the box that typer draws around it, and with single spaces."""
    return " ".join(text.replace("│", " ").split())


@pytest.mark.parametrize("case", [case for case in WRONG if case != "no command"])
def test_wrong_usage_is_reported_on_standard_error(songform, case):
    words, message = WRONG[case]
    result = songform(*words)
    assert (result.exit_code, result.stdout) == (USAGE, "")
    assert message in without_box(result.stderr)


@pytest.mark.parametrize("case", WRONG)
@pytest.mark.parametrize("place", ["before", "after"])
def test_wrong_usage_prints_a_document_wherever_json_is_given(songform, document, case, place):
    words, message = WRONG[case]
    after = ["--json", "--home"] if case == "a missing value" else [*words[1:], "--json"]
    result = songform("--json", *words) if place == "before" else songform(*words[:1], *after)
    assert result.exit_code == USAGE
    (error,) = document(result).values()
    assert error.startswith(message)
    assert "error" in document(result)


def test_json_after_two_dashes_is_a_source(songform):
    result = songform("run", "--limit", "0", "--", "--json")
    assert (result.exit_code, result.stdout) == (USAGE, "")


def test_help_is_text_even_with_json(songform):
    for words in (["--json", "--help"], ["--help", "--json"], ["--json", "status", "--help"]):
        result = songform(*words)
        assert result.exit_code == DONE
        assert "Usage: songform" in result.stdout


@pytest.mark.parametrize("command", COMMANDS, ids=lambda command: command.__name__)
def test_help_of_every_command_shows_home_json_and_a_description(songform, command):
    shown = songform(command.__name__, "--help").stdout
    for words in ("--home", "--json", " ".join(command.__doc__.split()[:3])):
        assert words in shown


@pytest.mark.parametrize(
    "words",
    [
        ["--home", "{home}", "--json", "status"],
        ["status", "--home", "{home}", "--json"],
        ["--json", "status", "--home", "{home}"],
        ["--home", "{home}", "status", "--json"],
        ["--home", "/nowhere", "status", "--json", "--home", "{home}"],
    ],
)
def test_home_and_json_can_be_given_before_or_after_the_command(songform, document, extracted, words):
    result = songform(*(word.format(home=extracted) for word in words))
    assert result.exit_code == DONE
    assert len(document(result)["tracks"]) == 6
    assert result.stderr == ""


def test_python_m_runs_the_same_program_with_the_current_folder_as_home(extracted, tmp_path):
    """The command runs in a new process with an empty environment, outside the checkout."""
    environment = {"PATH": os.environ["PATH"], "HOME": str(tmp_path)}
    command = [sys.executable, "-m", "flows.cli", "--json", "status"]
    run = subprocess.run(command, cwd=extracted, env=environment, capture_output=True, text=True, check=True)
    assert len(json.loads(run.stdout)["tracks"]) == 6
    assert run.stderr == ""
    command = [sys.executable, "-m", "flows.cli", "train", "--set", "model.epoch=3"]
    run = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False)
    assert run.returncode == USAGE
    assert run.stdout == ""
    assert run.stderr == "songform: --set model.epoch=3: there is no setting model.epoch; did you mean model.epochs?\n"
    assert list(tmp_path.iterdir()) == []


def fails_with(monkeypatch, error):
    """Make `songform status` raise an error."""

    def fail(home):
        raise error

    monkeypatch.setattr("flows.cli.commands.status.corpus_status", fail)


def test_interrupted_command_reports_how_to_continue(songform, document, home, monkeypatch):
    fails_with(monkeypatch, KeyboardInterrupt())
    result = songform("--home", home, "status")
    assert result.exit_code == INTERRUPTED
    assert "run the same command again" in said(result)
    result = songform("--home", home, "status", "--json")
    assert result.exit_code == INTERRUPTED
    assert document(result) == {"error": said(result)}


def test_defect_prints_a_traceback_and_a_document_and_exits_with_1(extracted):
    program = """
import flows.cli.commands.status as status
status.corpus_status = lambda home: 1 / 0
from flows.cli.main import main
main()
"""
    command = [sys.executable, "-c", program, "--home", str(extracted), "status"]
    run = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (run.returncode, run.stdout) == (1, "")
    assert run.stderr.startswith("Traceback")
    run = subprocess.run([*command, "--json"], capture_output=True, text=True, check=False)
    assert run.returncode == 1
    assert json.loads(run.stdout) == {"error": "unexpected ZeroDivisionError: division by zero; please report it"}
    assert run.stderr.endswith("ZeroDivisionError: division by zero\n")


@pytest.mark.parametrize("words", [["status"], ["status", "--json"], ["--help"], ["status", "--help"]])
def test_closed_output_pipe_ends_the_command_silently_with_141(extracted, words):
    reading, writing = os.pipe()
    os.close(reading)
    command = [sys.executable, "-m", "flows.cli", *words, "--home", str(extracted)]
    with os.fdopen(writing, "wb") as pipe:
        run = subprocess.run(command, stdout=pipe, stderr=subprocess.PIPE, text=True, check=False)
    assert (run.returncode, run.stderr) == (141, "")


@pytest.mark.parametrize(
    ("words", "option"), [([], "--home"), (["--out", "reports"], "--home"), (["--out", "/outside"], "--out")]
)
def test_read_only_folder_is_reported_with_the_option_that_chooses_another_one(
    songform, home, monkeypatch, words, option
):
    def fail(*_):
        raise OSError(errno.EROFS, "Read-only file system", str(temporary_path(Path("/outside/a.json"))))

    monkeypatch.setattr(CommandContext, "settings", fail)
    result = songform("--home", home, "analyze", "song.mp3", *words)
    assert result.exit_code == NOTHING_DONE
    sentence = said(result)
    assert "(/outside/a.json); fix the permissions, or choose another" in sentence
    assert option in sentence
    assert "disk space" not in sentence


def test_full_disk_is_reported_in_one_sentence_and_a_defect_is_raised(songform, home, monkeypatch):
    fails_with(monkeypatch, OSError(errno.ENOSPC, "No space left on device", "/home/data/x"))
    result = songform("--home", home, "status")
    assert result.exit_code == NOTHING_DONE
    sentence = said(result)
    assert "No space left on device (/home/data/x); free some disk space" in sentence
    assert "permissions" not in sentence
    assert "run the same command again" in sentence
    fails_with(monkeypatch, OSError(errno.EBADF, "Bad file descriptor"))
    with pytest.raises(OSError, match="Bad file descriptor"):
        songform("--home", home, "status")

"""Tests of the output of songform ui. The pages are tested in a browser by tests/system."""

from __future__ import annotations

import socket
import subprocess
import sys
from contextlib import contextmanager

import pytest

PREFECT = "http://127.0.0.1:4242"


class Shared:
    """Replacement of the home's Prefect server that calls a function whenever `is_up` is read."""

    api, pages, process, problems = f"{PREFECT}/api", PREFECT, object(), ()

    def __init__(self, log, happens):
        self.log, self.happens = log, happens

    @property
    def is_up(self):
        """Result of the function."""
        return self.happens()

    def wait(self):
        """Do nothing."""


@pytest.fixture
def served(monkeypatch, tmp_path):
    """Return a function that replaces the MLflow server by a Python program and the Prefect server by `Shared`."""

    def serve(*, mlflow, is_up):
        @contextmanager
        def shared(home, port):
            yield Shared(tmp_path / "prefect.log", is_up)

        monkeypatch.setattr("flows.prefect_server.connect.shared_server", shared)
        monkeypatch.setattr("flows.prefect_server.health.wait_until_healthy", lambda url, process, log: None)
        monkeypatch.setattr(
            "flows.cli.commands.ui._start_mlflow",
            lambda corpus, port: subprocess.Popen([sys.executable, "-c", mlflow], stdin=subprocess.PIPE),
        )

    return serve


def interrupt(*words, **options):
    raise KeyboardInterrupt


UNTIL_STOPPED = "import sys; sys.stdin.read()"


def test_ctrl_c_ends_with_0_and_a_document_with_the_served_addresses(songform, document, served, tmp_path):
    served(mlflow=UNTIL_STOPPED, is_up=interrupt)
    result = songform("--home", tmp_path, "ui", "--json", "--port", "0")
    assert result.exit_code == 0
    told = document(result)
    assert told == {"mlflow": told["mlflow"], "prefect": PREFECT, "ended": "stopped"}
    assert told["mlflow"].startswith("http://127.0.0.1:")
    assert f"MLflow:  {told['mlflow']}/#/experiments" in result.stderr
    assert result.stderr.endswith("Stopped.\n")
    result = songform("--home", tmp_path, "ui", "--port", "0")
    assert (result.exit_code, result.stderr) == (0, "")
    assert result.stdout.endswith("Stopped.\n")


def test_document_has_no_address_if_ctrl_c_comes_before_a_server_answers(
    songform, document, served, monkeypatch, tmp_path
):
    served(mlflow=UNTIL_STOPPED, is_up=lambda: True)
    monkeypatch.setattr("flows.prefect_server.health.wait_until_healthy", interrupt)
    result = songform("--home", tmp_path, "ui", "--json", "--port", "0")
    assert result.exit_code == 0
    assert document(result) == {"mlflow": None, "prefect": None, "ended": "stopped"}


ENDS = {"MLflow": ("pass", lambda: True), "Prefect": (UNTIL_STOPPED, lambda: False)}


@pytest.mark.parametrize("server", ENDS)
def test_server_that_ends_is_an_error_with_its_name(songform, document, served, tmp_path, server):
    mlflow, is_up = ENDS[server]
    served(mlflow=mlflow, is_up=is_up)
    result = songform("--home", tmp_path, "ui", "--json", "--port", "0")
    assert result.exit_code == 4
    assert document(result)["error"].startswith(f"the {server} server ended; ")
    assert document(result)["prefect"] == PREFECT
    assert f"songform: the {server} server ended; " in result.stderr


def test_port_in_use_is_reported_in_one_sentence_and_a_document(songform, document, tmp_path):
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        result = songform("--home", tmp_path, "ui", "--json", "--port", port)
    assert result.exit_code == 4
    assert document(result)["error"].startswith(f"port {port} is in use by another program; ")
    assert "--port" in document(result)["error"]


def test_ctrl_c_during_the_start_ends_with_0_and_a_document(songform, document, monkeypatch, tmp_path):
    monkeypatch.setattr("flows.prefect_server.launch.available_port", interrupt)
    result = songform("--home", tmp_path, "ui", "--json")
    assert result.exit_code == 0
    assert document(result) == {"mlflow": None, "prefect": None, "ended": "stopped"}


def test_same_port_for_both_servers_is_wrong_usage(songform, document, tmp_path):
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
    result = songform("--home", tmp_path, "ui", "--json", "--port", port, "--prefect-port", port)
    assert result.exit_code == 2
    assert f"both {port}" in document(result)["error"]

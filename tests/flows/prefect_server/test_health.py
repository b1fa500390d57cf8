"""Tests of health checks, and of waiting until a server answers."""

from __future__ import annotations

import subprocess
import sys

import pytest

from flows.prefect_server.health import http_session, is_healthy, wait_until_healthy
from flows.prefect_server.launch import free_port
from songform.errors import SongformError


def test_server_is_healthy_if_it_answers_without_an_error(healthy):
    assert is_healthy(f"{healthy}/health")
    assert not is_healthy(f"{healthy}/broken")
    assert not is_healthy(f"http://127.0.0.1:{free_port()}/api/health")


@pytest.mark.parametrize("address", ["", "3/health", "http://[::1", "http:///health"])
def test_invalid_address_is_not_healthy(address):
    assert not is_healthy(address)


@pytest.mark.parametrize(
    ("url", "through_proxies"),
    [("http://127.0.0.1:4200/api", False), ("http://localhost/api", False), ("https://prefect.example/api", True)],
)
def test_proxies_are_used_only_for_other_machines(url, through_proxies):
    assert http_session(url).trust_env is through_proxies


def test_server_that_exits_during_its_start_is_reported_in_one_sentence(tmp_path):
    process = subprocess.Popen([sys.executable, "-c", "raise SystemExit(7)"])
    with pytest.raises(SongformError, match=rf"exited with code 7; check {tmp_path}/server\.log "):
        wait_until_healthy(f"http://127.0.0.1:{free_port()}/health", process, log=tmp_path / "server.log")

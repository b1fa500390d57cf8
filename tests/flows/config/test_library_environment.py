from __future__ import annotations

import gc
import os
import signal
from contextlib import suppress
from importlib import import_module
from pathlib import Path

import pytest

from flows.config.library_environment import (
    environment_variable,
    imports_without_gc,
    prepare_environment,
    signals_deferred,
)


@pytest.fixture
def environment(monkeypatch):
    """Replace the environment by an empty one, and return it."""
    monkeypatch.setattr(os, "environ", {})
    return os.environ


def test_libraries_keep_their_files_in_the_home_and_send_no_telemetry(environment):
    prepare_environment(Path("/home"))
    assert environment["PREFECT_HOME"] == "/home/.prefect"
    assert environment["PREFECT_SERVER_ANALYTICS_ENABLED"] == "false"
    assert (environment["DO_NOT_TRACK"], environment["MLFLOW_DISABLE_TELEMETRY"]) == ("1", "true")


def test_variables_that_the_user_has_set_are_not_changed(environment):
    mine = {"PREFECT_HOME": "/elsewhere", "DO_NOT_TRACK": "0", "TF_CPP_MIN_LOG_LEVEL": "0"}
    environment |= mine
    prepare_environment(Path("/home"))
    assert {name: environment[name] for name in mine} == mine


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ({}, "127.0.0.1,localhost"),
        ({"NO_PROXY": ".a.example"}, ".a.example,127.0.0.1,localhost"),
        ({"no_proxy": "b.example, 127.0.0.1"}, "b.example,127.0.0.1,localhost"),
    ],
)
def test_loopback_is_added_to_the_hosts_that_bypass_proxies(environment, given, expected):
    environment.update(given)
    for _ in range(2):
        prepare_environment(Path("/home"))
        assert environment["no_proxy"] == environment["NO_PROXY"] == expected


def test_wildcard_in_no_proxy_is_not_changed(environment):
    environment["no_proxy"] = "*"
    prepare_environment(Path("/home"))
    assert environment["no_proxy"] == "*"


def test_garbage_collection_is_enabled_after_the_imports_even_if_one_fails():
    with imports_without_gc():
        assert not gc.isenabled()
    assert gc.isenabled()
    with pytest.raises(ModuleNotFoundError), imports_without_gc():
        import_module("nowhere")
    assert gc.isenabled()


@pytest.mark.parametrize("before", [None, "", "a"])
def test_variable_is_set_within_the_block_and_restored_even_after_an_error(monkeypatch, before):
    if before is not None:
        monkeypatch.setenv("SONGFORM_TEST", before)
    for error in (None, KeyError):
        with suppress(KeyError), environment_variable("SONGFORM_TEST", "b"):
            assert os.environ["SONGFORM_TEST"] == "b"
            if error:
                raise error
        assert os.environ.get("SONGFORM_TEST") == before


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_signals_wait_until_the_end_of_the_block(number):
    received = []
    before = signal.signal(number, lambda *_: received.append(number))
    try:
        with signals_deferred():
            os.kill(os.getpid(), number)
            assert received == []
        assert received == [number]
        os.kill(os.getpid(), number)
        assert received == [number, number]
    finally:
        signal.signal(number, before)

from __future__ import annotations

import gc
import os
from contextlib import suppress
from importlib import import_module
from pathlib import Path

import pytest

from flows.config.library_environment import environment_variable, imports_without_gc, prepare_environment


@pytest.fixture
def environment(monkeypatch):
    """Give an environment with nothing in it."""
    monkeypatch.setattr(os, "environ", {})
    return os.environ


def test_every_library_keeps_to_the_home_and_to_itself(environment):
    prepare_environment(Path("/home"))
    assert environment["PREFECT_HOME"] == "/home/.prefect"
    assert environment["PREFECT_SERVER_ANALYTICS_ENABLED"] == "false"
    assert (environment["DO_NOT_TRACK"], environment["MLFLOW_DISABLE_TELEMETRY"]) == ("1", "true")


def test_what_the_user_has_set_stays_as_it_is(environment):
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
def test_a_proxy_is_never_asked_for_loopback_nor_for_what_it_was_not(environment, given, expected):
    environment.update(given)
    for _ in range(2):
        prepare_environment(Path("/home"))
        assert environment["no_proxy"] == environment["NO_PROXY"] == expected


def test_no_proxy_for_anything_stays_no_proxy_for_anything(environment):
    environment["no_proxy"] = "*"
    prepare_environment(Path("/home"))
    assert environment["no_proxy"] == "*"


def test_garbage_is_collected_again_after_the_imports_even_if_one_fails():
    with imports_without_gc():
        assert not gc.isenabled()
    assert gc.isenabled()
    with pytest.raises(ModuleNotFoundError), imports_without_gc():
        import_module("nowhere")
    assert gc.isenabled()


@pytest.mark.parametrize("before", [None, "", "a"])
def test_a_variable_is_set_within_the_block_and_afterwards_as_it_was_even_after_an_error(monkeypatch, before):
    if before is not None:
        monkeypatch.setenv("SONGFORM_TEST", before)
    for error in (None, KeyError):
        with suppress(KeyError), environment_variable("SONGFORM_TEST", "b"):
            assert os.environ["SONGFORM_TEST"] == "b"
            if error:
                raise error
        assert os.environ.get("SONGFORM_TEST") == before

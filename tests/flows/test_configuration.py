from __future__ import annotations

import contextlib
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flows.configuration import load_settings
from songform.errors import SettingsError
from songform.settings import Settings


def write_toml(home, text):
    path = home / "songform.toml"
    path.write_text(text, encoding="utf-8")
    return path


def test_without_any_source_the_defaults_hold(tmp_path):
    assert load_settings(tmp_path, {}) == Settings()


SOURCES = {
    "toml": "[sequences]\nseconds = 8",
    "environment": {"SONGFORM_SEQUENCES__SECONDS": "16"},
    "set": ["sequences.seconds=20"],
}


@pytest.mark.parametrize(
    ("given_by", "seconds"),
    [
        ((), 12.0),
        (("toml",), 8.0),
        (("environment",), 16.0),
        (("set",), 20.0),
        (("toml", "environment"), 16.0),
        (("toml", "set"), 20.0),
        (("environment", "set"), 20.0),
        (("toml", "environment", "set"), 20.0),
    ],
)
def test_the_later_source_wins(tmp_path, given_by, seconds):
    write_toml(tmp_path, SOURCES["toml"] if "toml" in given_by else "")
    environment = SOURCES["environment"] if "environment" in given_by else {}
    assignments = SOURCES["set"] if "set" in given_by else []
    assert load_settings(tmp_path, environment, assignments).sequences.seconds == seconds


def test_sources_are_joined_setting_by_setting_and_the_last_set_wins(tmp_path):
    write_toml(tmp_path, "[sequences]\nseconds = 8\nhop_seconds = 1\n[audio]\nkeep = true")
    environment = {"SONGFORM_SEQUENCES__TARGET": "ahead", "SONGFORM_HOME": "/x", "SONGFORMED__A": "1", "HOME": "/root"}
    settings = load_settings(tmp_path, environment, ["model.seed=1", "model.seed=2", " model.epochs = 7 "])
    changed = {
        "sequences.seconds": 8.0,
        "sequences.hop_seconds": 1.0,
        "audio.keep": True,
        "sequences.target": "ahead",
        "model.seed": 2,
        "model.epochs": 7,
    }
    assert settings.flat() == Settings().flat() | changed


@given(st.sampled_from(sorted(Settings().flat())))
def test_every_setting_can_be_set_to_its_default_from_everywhere(tmp_path_factory, name):
    section, _, key = name.partition(".")
    default = Settings().flat()[name]
    text = str(default).lower() if isinstance(default, bool) else str(default)
    toml = f'"{text}"' if isinstance(default, str) else text
    home = tmp_path_factory.mktemp("home")
    write_toml(home, f"[{section}]\n{key} = {toml}")
    for value in (text, toml):
        variable = f"SONGFORM_{section.upper()}__{key.upper()}"
        assert load_settings(home, {variable: value}, [f"{name}={value}"]) == Settings()


@pytest.mark.parametrize(
    ("assignment", "message"),
    [
        (
            "sequences.secnds=1",
            "--set sequences.secnds=1: there is no setting sequences.secnds; did you mean sequences.",
        ),
        ("sequence.seconds=1", "--set sequence.seconds=1: there is no setting sequence; did you mean sequences?"),
        ("zzz.q=1", "--set zzz.q=1: there is no setting zzz; the sections are audio, frames, features, "),
        (
            "model.epochs=0",
            "--set model.epochs=0: model.epochs cannot be 0: input should be greater than or equal to 1.",
        ),
        (
            "model.epochs=many",
            "--set model.epochs=many: model.epochs cannot be 'many': input should be a valid integer.",
        ),
        ("model.epochs=2.5", "--set model.epochs=2.5: model.epochs cannot be 2.5: input should be a valid integer."),
        ("model.epochs=", "--set model.epochs=: model.epochs cannot be '': input should be a valid integer."),
        ("audio.keep=yes", "--set audio.keep=yes: audio.keep cannot be 'yes': input should be a valid boolean."),
        ("sequences.target=past", "cannot be 'past': input should be 'current' or 'ahead'."),
        ("sequences.seconds=inf", "--set sequences.seconds=inf: sequences.seconds cannot be inf: input should be"),
        ("sequences.seconds=nan", "sequences.seconds cannot be nan: input should be a finite number."),
        ("sequences.seconds=[1]", "sequences.seconds cannot be [1]: input should be a valid number."),
        ("model.name.x=1", "--set model.name.x=1: there is no setting model.name.x; did you mean model.name?"),
    ],
)
def test_a_wrong_setting_is_one_sentence_that_says_where_what_and_what_would_be_right(tmp_path, assignment, message):
    with pytest.raises(SettingsError) as caught:
        load_settings(tmp_path, {}, [assignment])
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("assignment", ["", "=", "seconds=3", "sequences.seconds", ".seconds=3", "sequences.=3"])
def test_what_is_no_assignment_is_told_the_form(tmp_path, assignment):
    message = f"--set {assignment} is not of the form section.name=value; write for example --set model.epochs=20"
    with pytest.raises(SettingsError, match=f"^{re.escape(message)}$"):
        load_settings(tmp_path, {}, [assignment])


def test_the_message_names_the_source_that_is_to_blame(tmp_path):
    path = write_toml(tmp_path, "[model]\nepochs = 'ten'\nseed = 3")
    assert load_settings(tmp_path, {"SONGFORM_MODEL__EPOCHS": "10"}).model.epochs == 10  # overruled, so not wrong
    with pytest.raises(SettingsError, match=f"^{re.escape(str(path))}: model.epochs cannot be 'ten'"):
        load_settings(tmp_path, {}, ["model.seed=4"])
    with pytest.raises(SettingsError, match=r"^SONGFORM_MODEL__EPOCHS: model\.epochs cannot be -1"):
        load_settings(tmp_path, {"SONGFORM_MODEL__EPOCHS": "-1"})


def test_settings_that_contradict_each_other_name_all_their_sources(tmp_path):
    path = write_toml(tmp_path, "[sequences]\npool_seconds = 1.0\nhop_seconds = 1.0\n[model]\nseed = 1")
    message = f"{path}, --set sequences.seconds=1.5: sequences: seconds (1.5) must be at least twice pool_seconds (1)."
    with pytest.raises(SettingsError, match=f"^{re.escape(message)}$"):
        load_settings(tmp_path, {}, ["sequences.seconds=1.5"])


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[model", "cannot be read as TOML: "),
        ("[model]\nepochs = ten", "cannot be read as TOML: "),
        ("[model]\nseed = 1\nseed = 2", "cannot be read as TOML: "),
        ("seconds = 3", "seconds = 3 stands outside a section; write it under a heading such as [sequences]"),
        ("[[model]]\nseed = 1", "model = [{'seed': 1}] stands outside a section"),
        ("[model.seed]\nx = 1", "model.seed cannot be {'x': 1}: input should be a valid integer."),
        ("[Model]\nseed = 1", "there is no setting Model; did you mean model?"),
    ],
)
def test_a_file_that_cannot_be_used_is_one_sentence_with_its_path(tmp_path, text, message):
    path = write_toml(tmp_path, text)
    with pytest.raises(SettingsError) as caught:
        load_settings(tmp_path, {})
    assert str(caught.value).startswith(f"{path}")
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_file_that_is_no_text_or_no_file_is_one_sentence(tmp_path):
    path = tmp_path / "songform.toml"
    path.write_bytes(b"\xff\xfe[")
    with pytest.raises(SettingsError, match=r"songform\.toml cannot be read as TOML"):
        load_settings(tmp_path, {})
    path.unlink()
    path.mkdir()
    with pytest.raises(SettingsError, match=r"songform\.toml cannot be read as TOML"):
        load_settings(tmp_path, {})


@given(st.text(), st.text())
def test_no_text_makes_anything_but_settings_or_one_sentence(tmp_path_factory, name, value):
    home = tmp_path_factory.getbasetemp()
    for environment, assignments in (({f"SONGFORM_{name}": value}, []), ({}, [f"{name}={value}"])):
        with contextlib.suppress(SettingsError):
            assert isinstance(load_settings(home, environment, assignments), Settings)


@given(st.sampled_from(sorted(Settings().flat())), st.text())
def test_no_value_of_a_setting_does_either(tmp_path_factory, name, value):
    try:
        settings = load_settings(tmp_path_factory.getbasetemp(), {}, [f"{name}={value}"])
    except SettingsError:
        return
    assert {key for key, given in settings.flat().items() if given != Settings().flat()[key]} <= {name}

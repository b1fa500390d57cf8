from __future__ import annotations

import contextlib
import json
import re
import subprocess
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flows.config.load_settings import load_settings
from songform.errors import SettingsError
from tasks.settings import NotifySettings, Playlist, ScheduleSettings, Settings


def write_toml(home, text):
    path = home / "songform.toml"
    path.write_text(text, encoding="utf-8")
    return path


def test_defaults_are_used_without_any_source(tmp_path):
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
def test_later_source_overrides_earlier_ones(tmp_path, given_by, seconds):
    write_toml(tmp_path, SOURCES["toml"] if "toml" in given_by else "")
    environment = SOURCES["environment"] if "environment" in given_by else {}
    assignments = SOURCES["set"] if "set" in given_by else []
    assert load_settings(tmp_path, environment, assignments).sequences.seconds == seconds


@pytest.mark.parametrize("name", ["SONGFORM_SEQUENCES_SECONDS", "SONGFORM_SEQUENCES_HOP_SECONDS"])
def test_one_underscore_between_section_and_name_is_an_error(tmp_path, name):
    right = name.replace("SEQUENCES_", "SEQUENCES__")
    with pytest.raises(SettingsError, match=f"^{name}: two underscores .* {right}$"):
        load_settings(tmp_path, {name: "16"})


def test_sources_are_merged_per_setting_and_the_last_assignment_wins(tmp_path):
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


@given(st.sampled_from(sorted(name for name, value in Settings().flat().items() if value is not None)))
def test_every_setting_can_be_set_to_its_default_from_every_source(tmp_path_factory, name):
    section, _, key = name.partition(".")
    default = Settings().flat()[name]
    text = str(default).lower() if isinstance(default, bool) else str(default)
    toml = f'"{text}"' if isinstance(default, str) else text
    if isinstance(default, tuple):
        text, toml = ",".join(default), json.dumps(default)
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
        ("sequences.target=past", "cannot be 'past': input should be 'current', 'ahead' or 'expert'."),
        ("sequences.seconds=inf", "--set sequences.seconds=inf: sequences.seconds cannot be inf: input should be"),
        ("sequences.seconds=nan", "sequences.seconds cannot be nan: input should be a finite number."),
        ("sequences.seconds=[1]", "sequences.seconds cannot be [1]: input should be a valid number."),
        ("model.name.x=1", "--set model.name.x=1: there is no setting model.name.x; did you mean model.name?"),
    ],
)
def test_invalid_setting_is_reported_with_its_source_its_problem_and_a_fix(tmp_path, assignment, message):
    with pytest.raises(SettingsError) as caught:
        load_settings(tmp_path, {}, [assignment])
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("assignment", ["", "=", "seconds=3", "sequences.seconds", ".seconds=3", "sequences.=3"])
def test_malformed_assignment_is_reported_with_the_correct_form(tmp_path, assignment):
    with pytest.raises(
        SettingsError, match=rf"^--set {re.escape(assignment)} .*section\.name=value.*--set model\.epochs"
    ):
        load_settings(tmp_path, {}, [assignment])


def test_message_names_the_source_of_the_invalid_value(tmp_path):
    path = write_toml(tmp_path, "[model]\nepochs = 'ten'\nseed = 3")
    assert load_settings(tmp_path, {"SONGFORM_MODEL__EPOCHS": "10"}).model.epochs == 10  # overridden values are ignored
    with pytest.raises(SettingsError, match=f"^{re.escape(str(path))}: model.epochs cannot be 'ten'"):
        load_settings(tmp_path, {}, ["model.seed=4"])
    with pytest.raises(SettingsError, match=r"^SONGFORM_MODEL__EPOCHS: model\.epochs cannot be -1"):
        load_settings(tmp_path, {"SONGFORM_MODEL__EPOCHS": "-1"})


def test_contradicting_settings_of_a_section_are_reported_with_all_their_sources(tmp_path):
    path = write_toml(tmp_path, "[sequences]\npool_seconds = 1.0\nhop_seconds = 1.0\n[model]\nseed = 1")
    problem = "sequences: stretch_seconds (1.5) must be at least twice pool_seconds (1)."
    message = f"{path}, --set sequences.stretch_seconds=1.5: {problem}"
    with pytest.raises(SettingsError, match=f"^{re.escape(message)}$"):
        load_settings(tmp_path, {}, ["sequences.stretch_seconds=1.5"])


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[model", "cannot be read as TOML: "),
        ("[model]\nepochs = ten", "cannot be read as TOML: "),
        ("[model]\nseed = 1\nseed = 2", "cannot be read as TOML: "),
        ("seconds = 3", "seconds = 3 is outside a section; put it under a heading such as [sequences]"),
        ("[[model]]\nseed = 1", "model = [{'seed': 1}] is outside a section"),
        ("[model.seed]\nx = 1", "model.seed cannot be {'x': 1}: input should be a valid integer."),
        ("[Model]\nseed = 1", "there is no setting Model; did you mean model?"),
    ],
)
def test_invalid_file_is_reported_in_one_sentence_with_its_path(tmp_path, text, message):
    path = write_toml(tmp_path, text)
    with pytest.raises(SettingsError) as caught:
        load_settings(tmp_path, {})
    assert str(caught.value).startswith(f"{path}")
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


def test_file_that_is_not_text_or_not_a_file_is_reported_in_one_sentence(tmp_path):
    path = tmp_path / "songform.toml"
    path.write_bytes(b"\xff\xfe[")
    with pytest.raises(SettingsError, match=r"songform\.toml cannot be read as TOML"):
        load_settings(tmp_path, {})
    path.unlink()
    path.mkdir()
    with pytest.raises(SettingsError, match=r"songform\.toml cannot be read as TOML"):
        load_settings(tmp_path, {})


@given(st.text(), st.text())
def test_any_name_and_value_give_settings_or_a_settings_error(tmp_path_factory, name, value):
    home = tmp_path_factory.getbasetemp()
    for environment, assignments in (({f"SONGFORM_{name}": value}, []), ({}, [f"{name}={value}"])):
        with contextlib.suppress(SettingsError):
            assert isinstance(load_settings(home, environment, assignments), Settings)


@given(st.sampled_from(sorted(Settings().flat())), st.text())
def test_any_value_of_a_setting_gives_settings_or_a_settings_error(tmp_path_factory, name, value):
    try:
        settings = load_settings(tmp_path_factory.getbasetemp(), {}, [f"{name}={value}"])
    except SettingsError:
        return
    assert {key for key, given in settings.flat().items() if given != Settings().flat()[key]} <= {name}


PLAYLISTS = """
[[playlists]]
url = "https://a.org/feed.xml"

[[playlists]]
url = "lists/mine.txt"
every = "*/15 6-22 * * mon-fri"
timezone = "Europe/Berlin"
limit = 100
"""


def test_playlists_are_read_in_order_with_defaults(tmp_path):
    write_toml(tmp_path, PLAYLISTS)
    assert load_settings(tmp_path, {}).playlists == (
        Playlist(url="https://a.org/feed.xml", every="0 6 * * *", timezone=None, limit=None),
        Playlist(url="lists/mine.txt", every="*/15 6-22 * * mon-fri", timezone="Europe/Berlin", limit=100),
    )


def test_list_of_playlists_can_be_empty(tmp_path):
    write_toml(tmp_path, "playlists = []")
    assert load_settings(tmp_path, {}) == Settings()


def test_schedule_and_notify_are_ordinary_sections(tmp_path):
    write_toml(
        tmp_path,
        "[schedule]\ntimezone = 'America/New_York'\nretry = ''\n"
        "[notify]\ncommand = ['/bin/tell', '-s', 'a b']\nfailing_days = 5",
    )
    environment = {
        "SONGFORM_NOTIFY__WEBHOOK": "https://a.org/hook",
        "SONGFORM_DOWNLOAD__COOKIES": "/c.txt",
        "SONGFORM_NOTIFY__COMMAND": "['/bin/other']",
    }
    settings = load_settings(tmp_path, environment, ["schedule.train=30 4 1 * *", 'notify.command=["/bin/last", "x"]'])
    assert settings.schedule == ScheduleSettings(timezone="America/New_York", retry="", train="30 4 1 * *")
    assert settings.notify == NotifySettings(command=("/bin/last", "x"), webhook="https://a.org/hook", failing_days=5)
    assert settings.download.cookies == "/c.txt"
    assert settings.flat() == Settings().flat()  # secrets and settings that no result depends on are not included


ENTRY = "[[playlists]]\nurl = 'a'\n"


@pytest.mark.parametrize(
    ("entry", "message"),
    [
        ("url = 'a'\nlimit = 5", "url 'a' is already listed in entry 1; remove one"),
        ("urll = 'b'", "there is no setting urll; did you mean url?"),
        ("url = 'b'\nzzz = 1", "there is no setting zzz; the settings of a playlist are url, every, timezone, limit."),
        ("every = '0 6 * * *'", "url is missing; the settings of a playlist are url, every, timezone, limit."),
        ("", "url is missing; the settings of a playlist are url, every, timezone, limit."),
        ("url = ''", "url cannot be '': string should have at least 1 character."),
        ("url = 7", "url cannot be 7: input should be a valid string."),
        ("url = 'b'\nlimit = 0", "limit cannot be 0: input should be greater than or equal to 1."),
        ("url = 'b'\nlimit = 2.5", "limit cannot be 2.5: input should be a valid integer."),
        ("url = 'b'\nevery = 'daily'", "every cannot be 'daily': five fields are needed, not 1; give minute, hour, "),
        ("url = 'b'\nevery = ''", "every cannot be '': five fields are needed, not 0; give minute, hour, "),
        ("url = 'b'\nevery = '0 25 * * *'", "every cannot be '0 25 * * *': bad hour; give minute, hour, "),
        (
            "url = 'b'\ntimezone = 'europe/berlln'",
            "timezone cannot be 'europe/berlln': unknown time zone; did you mean",
        ),
    ],
)
def test_invalid_playlist_is_reported_with_its_file_and_entry(tmp_path, entry, message):
    path = write_toml(tmp_path, f"{ENTRY}\n[[playlists]]\n{entry}")
    with pytest.raises(SettingsError) as caught:
        load_settings(tmp_path, {"SONGFORM_MODEL__SEED": "1"})
    assert str(caught.value).startswith(f"{path}: playlists, entry 2: {message}")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            "[playlists]\nurl = 'a'",
            "playlists must be a list; put each playlist under its own heading [[playlists]], with",
        ),
        ("playlists = 'a'", "playlists must be a list; put each playlist under its own heading [[playlists]], with"),
        (
            "playlists = ['a', 'b']",
            "playlists must be a list; put each playlist under its own heading [[playlists]], with",
        ),
        ("[[playlist]]\nurl = 'a'", "there is no [[playlist]]; did you mean [[playlists]]?"),
        ("[playlist]\nurl = 'a'", "there is no setting playlist; did you mean playlists?"),
        (
            "[notify]\ncommand = '/bin/tell me'",
            "notify.command cannot be '/bin/tell me': input should be a list such as [",
        ),
        ("[notify]\ncommand = [1]", "notify.command cannot be 1: input should be a valid string."),
        ("[notify]\nwebhok = 'http://a'", "there is no setting notify.webhok; did you mean notify.webhook?"),
        ("[notify]\nwebhook = 'ftp://s3cret'", "notify.webhook must begin with http:// or https://."),
        ("[download]\ncokies = 'a'", "there is no setting download.cokies; did you mean download.cookies?"),
        ("[schedule]\nretri = 'a'", "there is no setting schedule.retri; did you mean schedule.retry?"),
        ("[schedule]\nretry = '60 * * * *'", "schedule.retry cannot be '60 * * * *': bad minute; give minute, hour,"),
        ("[schedule]\ntrain = 'x'", "schedule.train cannot be 'x': five fields are needed, not 1; give minute, hour,"),
        ("[schedule]\ntimezone = 'CE'", "schedule.timezone cannot be 'CE': unknown time zone; did you mean "),
    ],
)
def test_invalid_schedule_in_the_file_is_reported_with_a_fix(tmp_path, text, message):
    path = write_toml(tmp_path, text)
    with pytest.raises(SettingsError) as caught:
        load_settings(tmp_path, {})
    assert str(caught.value).startswith(f"{path}: {message}")
    assert "s3cret" not in str(caught.value)


@pytest.mark.parametrize(
    ("environment", "assignments"),
    [
        ({}, ["playlists.url=a"]),
        ({}, ["playlists=[]"]),
        ({}, ["playlists"]),
        ({"SONGFORM_PLAYLISTS": "a"}, []),
        ({"SONGFORM_PLAYLISTS__URL": "a"}, []),
    ],
)
def test_playlists_can_only_be_set_in_the_file(tmp_path, environment, assignments):
    [origin] = environment or [f"--set {assignments[0]}"]
    with pytest.raises(SettingsError) as caught:
        load_settings(tmp_path, environment, assignments)
    assert str(caught.value).startswith(f"{origin}: playlists ")
    assert f"only be set in {tmp_path / 'songform.toml'}; " in str(caught.value)
    assert "[[playlists]]" in str(caught.value)


def test_source_of_an_invalid_schedule_is_named(tmp_path):
    with pytest.raises(SettingsError, match=r"^SONGFORM_SCHEDULE__RETRY: schedule\.retry cannot be '99 \* \* \* \*': "):
        load_settings(tmp_path, {"SONGFORM_SCHEDULE__RETRY": "99 * * * *"})
    with pytest.raises(SettingsError, match=r"^--set schedule\.timezone=X/Y: schedule\.timezone cannot be 'X/Y'"):
        load_settings(tmp_path, {}, ["schedule.timezone=X/Y"])


def test_contradicting_sections_are_reported_with_their_sources(tmp_path):
    path = write_toml(tmp_path, "[frames]\nhop_length = 2048\n" + ENTRY)
    message = f"{path}, --set sequences.pool_seconds=0.05: sequences.pool_seconds must be 0 or at least 0.0929 s"
    with pytest.raises(SettingsError, match=f"^{re.escape(message)}"):
        load_settings(tmp_path, {}, ["sequences.pool_seconds=0.05"])


def test_every_default_of_a_schedule_is_a_valid_value(tmp_path):
    defaults = ScheduleSettings()
    names = {name: f"schedule.{name}={getattr(defaults, name)}" for name in ScheduleSettings.model_fields}
    write_toml(tmp_path, ENTRY + f"every = '{Playlist(url='a').every}'")
    assert load_settings(tmp_path, {}, names.values()).schedule == defaults


def test_reading_playlists_does_not_import_prefect(tmp_path):
    """Prefect reads the address of its server when it is imported, but the server is started later."""
    write_toml(tmp_path, PLAYLISTS)
    program = f"""
import sys
from pathlib import Path
from flows.config.load_settings import load_settings
assert len(load_settings(Path({str(tmp_path)!r}), {{}}).playlists) == 2
print(*sorted({{"prefect", "requests", "yt_dlp", "mlflow"}} & set(sys.modules)))
"""
    run = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert run.stdout == "\n"

from __future__ import annotations

import hashlib

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from songform.learning.networks import NETWORKS
from songform.learning.sequence_inputs import INPUTS
from tasks.settings import (
    AudioSettings,
    FeaturesSettings,
    FramesSettings,
    ModelSettings,
    Playlist,
    SequencesSettings,
    Settings,
    StatesSettings,
    digest,
    later_versions,
)

# Values besides the default that each setting may have, whatever the other settings are.
ALLOWED = {
    "audio.keep": [True],
    "audio.codec": ["native"],
    "audio.bitrate": [64, 320],
    "frames.sr": [44100, 48000],
    "frames.frame_length": [1024, 4096],
    "frames.hop_length": [128, 256],
    "features.n_mfcc": [2, 40],
    "states.n_states": [2, 12],
    "states.context_weight": [0.0, 1.5],
    "states.dwell_seconds": [0.5, 9.0],
    "states.transition_dwell_seconds": [0.5, 9.0],
    "states.seed": [1, 2**32 - 1],
    "states.prior_songs": [0.0, 30.0],
    "sequences.inputs": [],
    "sequences.every_unit": [False],
    "sequences.stretch_seconds": [4.0, 600.0],
    "sequences.pool_seconds": [0.0, 0.25],
    "sequences.seconds": [4.0, 16.0],
    "sequences.hop_seconds": [0.1, 2.0],
    "sequences.target": ["ahead", "expert"],
    "sequences.ahead_seconds": [0.5, 8.0],
    "model.name": [],
    "model.seed": [1, 2**32 - 1],
    "model.epochs": [1, 100],
    "model.patience": [1, 9],
    "model.batch_size": [1, 1024],
    "model.batch_stretches": [1, 64],
    "model.learning_rate": [0.1, 0.0001],
    "download.attempts": [1, 10],
    "download.retry_seconds": [0.0, 60.0],
    "download.timeout_seconds": [0.5, 60.0],
    "download.workers": [1, 16],
    "download.host_workers": [1, 16],
    "download.host_seconds": [0.0, 60.0],
    "download.youtube_workers": [2, 16],
    "download.youtube_seconds": [0.0, 60.0],
    "download.throttle_seconds": [0.0, 600.0],
    "download.throttle_most_seconds": [0.0, 6000.0],
    "download.circuit_seconds": [0.0, 9000.0],
    "download.patience_seconds": [0.0, 9000.0],
    "download.max_megabytes": [0.5, 9000.0],
    "download.max_hours": [0.5, 24.0],
    "download.max_minutes": [0.5, 600.0],
    "download.allow_private": [True],
    "download.allow_plugins": [True],
    "run.workers": [1, 64],
    "run.max_minutes": [0.5, 600.0],
    "run.task_runner": ["dask"],
    "run.dask_address": ["tcp://127.0.0.1:8786"],
    "report.pictures": [False],
    "report.audio": ["beside", "none"],
    "report.embed_megabytes": [0.0, 24.0],
}
choices = st.fixed_dictionaries(
    {}, optional={name: st.sampled_from(values) for name, values in ALLOWED.items() if values}
)


def settings_of(flat):
    sections = {}
    for name, value in flat.items():
        section, _, key = name.partition(".")
        sections.setdefault(section, {})[key] = value
    return Settings.model_validate(sections)


def test_the_values_above_cover_every_setting():
    assert list(ALLOWED) == list(Settings().flat())


@given(choices, choices)
def test_the_digest_changes_if_and_only_if_a_setting_changes(one, other):
    first, second = settings_of(one), settings_of(other)
    assert (digest(first) == digest(second)) == (first.flat() == second.flat()) == (first == second)


@pytest.mark.parametrize(("name", "value"), [(name, value) for name, values in ALLOWED.items() for value in values])
def test_changing_one_setting_changes_only_its_value_and_the_digest(name, value):
    changed = settings_of({name: value})
    assert changed.flat() == Settings().flat() | {name: value}
    assert digest(changed) != digest(Settings())


def test_the_digest_is_the_beginning_of_the_sha256_of_canonical_json():
    """Folder names must be the same on all machines and with all versions of Python, so the bytes are fixed here."""
    canonical = b'[{"n_mfcc":13},{"frame_length":2048,"hop_length":512,"sr":22050},1,["b","a"]]'
    assert digest(FeaturesSettings(), FramesSettings(), 1, ("b", "a")) == hashlib.sha256(canonical).hexdigest()[:12]


@given(st.lists(st.text(), max_size=4), st.lists(st.text(), max_size=4))
def test_digests_are_equal_only_for_equal_parts(one, other):
    assert (digest(*one) == digest(*other)) == (one == other)


def test_only_versions_after_the_first_are_part_of_a_digest():
    """Therefore, a module can get a VERSION when homes already exist, and their folders keep their names."""
    assert later_versions(pooling=1, viterbi=1) == {}
    before = digest(FramesSettings(), 3)
    assert digest(FramesSettings(), 3, later=later_versions(pooling=1, viterbi=1)) == before
    later = [{"pooling": 2}, {"pooling": 3}, {"viterbi": 2}, {"pooling": 2, "viterbi": 2}]
    digests = [digest(FramesSettings(), 3, later=later_versions(**{"pooling": 1, **each})) for each in later]
    assert len({before, *digests}) == 5


def test_the_order_of_modules_does_not_change_a_digest():
    one, other = later_versions(pooling=2, viterbi=3), later_versions(viterbi=3, pooling=2)
    assert digest(later=one) == digest(later=other)


def test_int_and_float_seconds_are_the_same_setting():
    assert digest(SequencesSettings(seconds=16)) == digest(SequencesSettings(seconds=16.0))


@pytest.mark.parametrize(
    ("section", "wrong"),
    [
        (FramesSettings, {"sr": "22050"}),  # text instead of a number
        (FramesSettings, {"sr": 22050.0}),  # a float instead of an integer
        (AudioSettings, {"keep": 1}),  # a number instead of a bool
        (AudioSettings, {"codec": "opus"}),
        (ModelSettings, {"epochs": True}),
        (FramesSettings, {"frame_length": 2050}),  # not a multiple of 4
        (FramesSettings, {"hop_length": 2206}),  # more than the time step of the overview
        (FeaturesSettings, {"n_mfcc": 41}),
        (StatesSettings, {"n_states": 1}),
        (StatesSettings, {"dwell_seconds": 0.0}),
        (StatesSettings, {"dwell_seconds": float("inf")}),
        (ModelSettings, {"learning_rate": float("inf")}),
        (StatesSettings, {"seed": 2**32}),  # more than scikit-learn accepts
        (ModelSettings, {"seed": -1}),
        (ModelSettings, {"name": "transformer"}),
        (StatesSettings, {"prior_songs": -1.0}),
        (SequencesSettings, {"target": "later"}),
        (SequencesSettings, {"seconds": float("nan")}),
        (SequencesSettings, {"hop_seconds": float("inf")}),
        (SequencesSettings, {"every_unit": False, "seconds": 0.4}),  # shorter than two units
        (SequencesSettings, {"stretch_seconds": 0.4}),
        (SequencesSettings, {"second": 12.0}),  # a typo
    ],
)
def test_invalid_value_is_rejected(section, wrong):
    with pytest.raises(ValidationError) as caught:
        section(**wrong)
    assert caught.value.error_count() == 1


def test_encoding_depends_on_the_bit_rate_only_for_mp3():
    assert AudioSettings().encoding == "mp3-192"
    assert AudioSettings(bitrate=64, keep=True).encoding == "mp3-64"
    assert AudioSettings(codec="native").encoding == AudioSettings(codec="native", bitrate=64).encoding == "native"


def test_secrets_and_playlists_are_not_dumped():
    """Dumps become parameters in Prefect and MLflow, and the settings of a model."""
    secret = {"download": {"cookies": "my-cookies.txt"}, "notify": {"webhook": "https://example.org/my-token"}}
    settings = Settings.model_validate(secret | {"playlists": [{"url": "https://example.org/my-list"}]})
    assert settings.download.cookies == "my-cookies.txt"
    assert settings.playlists[0].every == "0 6 * * *"
    assert "my-" not in settings.model_dump_json() + str(settings.flat())


def test_schedule_changes_no_digest():
    changed = Settings.model_validate({"schedule": {"catch_up": False, "retry": "", "timezone": "Europe/Berlin"}})
    assert not changed.schedule.catch_up
    assert digest(changed) == digest(Settings())


def test_settings_are_frozen_and_can_be_hashed():
    settings = Settings()
    with pytest.raises(ValidationError, match="frozen"):
        settings.model.epochs = 3
    assert hash(settings) == hash(Settings())


def test_every_setting_has_a_description_and_every_duration_a_unit():
    sections = {name: values for name, values in Settings() if name != "playlists"} | {"playlists": Playlist(url="u")}
    described = {
        f"{section}.{name}": field.description
        for section, values in sections.items()
        for name, field in type(values).model_fields.items()
    }
    assert all(described.values())
    assert all("in s" in text for name, text in described.items() if name.endswith("seconds") and "pause" not in text)


def test_model_name_must_be_the_name_of_a_network(monkeypatch):
    with pytest.raises(ValidationError, match=f"Input should be {' or '.join(map(repr, NETWORKS))}"):
        ModelSettings(name="other")
    monkeypatch.setitem(NETWORKS, "other", NETWORKS["lstm"])
    assert ModelSettings(name="other").name == "other"
    with pytest.raises(ValidationError, match=f"Input should be {' or '.join(map(repr, NETWORKS))}"):
        ModelSettings(name="transformer")


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ({"frames": {"frame_length": 512, "hop_length": 1024}}, "must not be longer than frame_length"),
        ({"sequences": {"pool_seconds": 0.01}}, "sequences.pool_seconds must be 0 or at least 0.0232 s"),
        ({"sequences": {"pool_seconds": 40.0}}, r"stretch_seconds \(60\) must be at least twice pool_seconds"),
        ({"sequences": {"every_unit": False, "seconds": 0.5}}, r"error, seconds \(0.5\) must be at least twice"),
        ({"sequences": {"inputs": ["context", "context"]}}, "inputs must be different, but they are context, context"),
        ({"sequences": {"inputs": []}}, "at least 1 item"),
        ({"sequences": {"inputs": ["tempo"]}}, "'features', 'normalized', 'context', 'beats' or 'sections'"),
        ({"sequences": {"inputs": ["context"], "target": "ahead"}}, "would reveal the target ahead"),
        ({"sequences": {"target": "ahead"}, "model": {"name": "bilstm"}}, "would read the target ahead itself"),
        ({"sequences": {"inputs": ["beats"]}, "model": {"name": "causal-lstm"}}, "unlike beats"),
    ],
)
def test_contradictory_settings_are_rejected(values, said):
    with pytest.raises(ValidationError, match=said):
        Settings.model_validate(values)


def test_inputs_are_those_that_can_be_computed():
    assert Settings.model_validate({"sequences": {"inputs": list(INPUTS)}}).sequences.inputs == INPUTS

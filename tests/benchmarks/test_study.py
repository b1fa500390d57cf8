"""Each variant of the study still matches the code that it changes; labeled songs of all kinds can be studied."""

from __future__ import annotations

import numpy as np
import pytest

from benchmarks.study.composed import VARIANTS, Scores, _model
from benchmarks.study.sections import print_sections
from benchmarks.study.songs import Described, labelled_songs
from songform.annotation.annotations import Annotation
from songform.annotation.beat_annotation import BeatAnnotation
from songform.features.extraction import SongExtractor, describe_audio
from songform.features.frame_features import feature_table
from songform.structure.states import unit_vectors
from songform.synth import compose


@pytest.fixture(scope="module")
def described(songs):
    """Return the features and the true sections of two songs."""
    found = []
    for song in songs[:2]:
        features, overview, n_samples = describe_audio([song.y], sr=song.sr)
        found.append(Described(song.title, features, overview, n_samples / song.sr, song.sections))
    return found


@pytest.mark.parametrize(("change", "options"), [each[1:] for each in VARIANTS], ids=[each[0] for each in VARIANTS])
def test_variant_can_be_fitted_and_scored_and_is_undone_afterwards(described, change, options):
    before = unit_vectors(described[0].features, described[0].overview)
    with change():
        scores = Scores.of(_model(described, **options), described)
    assert 0 <= scores.macro_f1 <= 1
    np.testing.assert_array_equal(unit_vectors(described[0].features, described[0].overview), before)


def labeled(song, positions):
    """Return a song with two sections of equal length, and its true beats."""
    extractor = SongExtractor(song.sr)
    features = feature_table([extractor.push(song.y), extractor.flush()], extractor.columns)
    duration = extractor.n_samples / song.sr
    times = np.arange(0, duration, 60 / song.traits.bpm)
    halves = np.array([[0, duration / 2], [duration / 2, duration]])
    return Described(
        name=song.title,
        features=features,
        overview=extractor.overview(),
        duration=duration,
        people=(Annotation(halves, ["a", "b"], duration=duration),),
        spectrum=extractor.semitone_spectrum(),
        beats=BeatAnnotation(times, 1 + np.arange(len(times)) % 4 if positions else None),
    )


@pytest.mark.system  # seven seconds each
@pytest.mark.parametrize("positions", [True, False])
def test_song_that_is_too_short_for_sections_and_beats_without_positions_are_studied(positions, capsys):
    print_sections([labeled(compose(1, duration=20.0), positions)])
    out = capsys.readouterr().out
    assert "Sections of 0 of 1 labeled songs" in out
    assert "| beats, F | 1.000" in out
    assert ("| downbeats, F |" in out) == positions
    assert "nan" not in out


def test_labels_of_a_song_whose_name_begins_like_another_one_are_not_mixed_up(tmp_path, monkeypatch):
    monkeypatch.setattr("benchmarks.study.songs._on_all_cores", lambda _work, items: items)
    names = ("1.mp3", "10.mp3", "1-slow.mp3", "1.1.lab", "1.2.lab", "10.1.lab", "1-slow.lab", "1.beats", "2.mp3")
    for name in names:
        (tmp_path / name).touch()
    found = {path.name: [file.name for file in files] for path, files in labelled_songs(tmp_path)}
    assert found == {"1.mp3": ["1.1.lab", "1.2.lab"], "10.mp3": ["10.1.lab"], "1-slow.mp3": ["1-slow.lab"]}

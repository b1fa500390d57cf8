"""Both trainings from a folder of labeled songs to the stored networks, with small networks and few steps."""

from __future__ import annotations

import json
from functools import partial
from pathlib import Path

import numpy as np
import pytest
import soundfile

from songform.annotation.formats import read_beats
from songform.learning.temporal_network import Ensemble
from songform.learning.temporal_training import TrainingPlan, temporal_network
from songform.sections.repetition import RepetitionModel
from songform.sections.section_finding import BoundaryModel
from songform.synth import compose
from tasks.annotate.annotate_tracks import annotate_tracks
from tasks.ingest.extract_tracks import extract_tracks
from tasks.ingest.sources.local_files import local_listing
from tasks.settings import Settings
from tasks.store.corpus import Corpus
from training import labeled_songs as labeled_songs_module
from training import train_beats, train_sections
from training.labeled_songs import _true_beats, labeled_songs, split_by_composition

SEEDS = (1, 2)
SMALL = {"width": 8, "dilations": (1, 2), "crop": 32, "batch_size": 2}


def write_song(folder, seed):
    song = compose(seed, duration=40.0)
    soundfile.write(folder / f"{seed}.flac", song.y, song.sr)
    times = np.arange(0, len(song.y) / song.sr, 60 / song.traits.bpm)
    positions = np.arange(len(times)) % song.traits.beats + 1
    np.savetxt(folder / f"{seed}.beats", np.column_stack([times, positions]), fmt=["%.4f", "%d"], delimiter="\t")
    lines = [f"{section.start:.3f}\t{section.end:.3f}\t{section.state}\n" for section in song.sections]
    for person in (1, 2):
        (folder / f"{seed}.{person}.lab").write_text("".join(lines))


def ingest_here(folder, home):
    """Ingest without a Prefect server."""
    Corpus(home).prepare()
    tracks = local_listing(folder).tracks if folder.is_dir() else []
    extract_tracks.fn(home, [(track, Path(track.path)) for track in tracks], Settings(), len(tracks))


@pytest.fixture(scope="module")
def paths(tmp_path_factory):
    """Return a folder of two labeled songs, and a home that they are ingested into at first use."""
    folder = tmp_path_factory.mktemp("songs")
    for seed in SEEDS:
        write_song(folder, seed)
    return folder, tmp_path_factory.mktemp("home")


@pytest.fixture
def small(monkeypatch, tmp_path):
    """Make both trainings small, and let them write to a temporary folder."""
    monkeypatch.setattr(labeled_songs_module, "_ingest", ingest_here)
    monkeypatch.setattr(train_beats, "NETWORK", tmp_path / "beat_network.npz")
    monkeypatch.setattr(train_beats, "N_CLICK_TRACKS", 2)
    monkeypatch.setattr(train_beats, "N_COMPOSED", 0)
    monkeypatch.setattr(train_beats, "PLAN", TrainingPlan(**SMALL))
    monkeypatch.setattr(train_beats, "trained_network", partial(train_beats.trained_network, epochs=2, n_networks=2))
    monkeypatch.setattr(train_sections, "NETWORK", tmp_path / "boundary_network.npz")
    monkeypatch.setattr(train_sections, "PLAN", TrainingPlan(**SMALL))
    monkeypatch.setattr(train_sections, "trained_model", partial(train_sections.trained_model, epochs=2, n_networks=2))
    return tmp_path


def check_songs(songs):
    assert [song.name for song in songs] == ["1", "2"]
    for song in songs:
        assert song.duration >= 40
        assert len(song.features) == len(song.overview.onset)
        assert len(song.spectrum) == 1 + int(5 * song.duration)
        assert song.beats.positions[:5].tolist() == [1, 2, 3, 4, 1]
        assert len(song.people) == 2
        assert song.people[0].intervals[0, 0] == 0


def test_labeled_songs_have_tables_beats_and_the_sections_of_each_person(small, paths):
    check_songs(list(labeled_songs([paths[0]], paths[1])))


def test_annotated_tracks_of_a_home_are_labeled_songs(small, paths):
    folder, home = paths
    from_folder = list(labeled_songs([folder], home))
    annotate_tracks(home, str(folder), str(folder))
    from_home = sorted(labeled_songs([home], home), key=lambda song: song.duration)
    for one, other in zip(sorted(from_folder, key=lambda song: song.duration), from_home, strict=True):
        np.testing.assert_allclose(one.beats.times, other.beats.times, atol=1e-3)
        assert [person.labels for person in one.people] == [person.labels for person in other.people]
        assert len(one.features) == len(other.features)
    assert [len(part) for part in split_by_composition(from_home, 2)] == [1, 1]  # each track is a composition


@pytest.mark.system  # ten seconds each
def test_beat_network_is_trained_and_stored_with_its_card(small, paths, monkeypatch):
    folder, home = paths
    returned = []
    train = train_beats.trained_network

    def kept(songs, others):
        returned.append(train(songs, others))
        return returned[0]

    monkeypatch.setattr(train_beats, "trained_network", kept)
    train_beats.main([str(folder), "--home", str(home)])
    with np.load(small / "beat_network.npz") as stored:
        loaded = Ensemble.from_arrays(dict(stored))
        n_weights = sum(stored[name].size for name in stored)
    x = np.random.default_rng(0).normal(size=(30, 43)).astype(np.float32)
    np.testing.assert_array_equal(loaded(x), returned[0][0](x))
    assert loaded(x).shape == (30, 3)
    card = json.loads((small / "beat_network.json").read_text())
    assert (card["songs"], card["click_tracks"], card["weights"]) == (2, 2, n_weights)


@pytest.mark.system
def test_boundary_networks_are_trained_and_stored_with_their_card(small, paths, monkeypatch):
    folder, home = paths
    returned = []
    train = train_sections.trained_model

    def kept(songs):
        returned.append(train(songs))
        return returned[0]

    monkeypatch.setattr(train_sections, "trained_model", kept)
    train_sections.main([str(folder), "--home", str(home)])
    with np.load(small / "boundary_network.npz") as stored:
        loaded = BoundaryModel.from_arrays(dict(stored))
    x = np.random.default_rng(0).normal(size=(30, 57)).astype(np.float32)
    assert len(loaded.ensemble.networks) == 2
    np.testing.assert_array_equal(loaded(x), returned[0][0](x))
    card = json.loads((small / "boundary_network.json").read_text())
    assert (card["songs"], card["command"]) == (2, "make train-sections CORPUS=FOLDER")
    with np.load(small / "repetition_network.npz") as stored:
        log_odds = RepetitionModel.from_arrays(dict(stored))(np.zeros((3, 3, 21), np.float32))
    assert log_odds.shape == (3, 3)


@pytest.mark.parametrize("module", [train_beats, train_sections])
def test_songs_that_are_held_out_are_scored_and_nothing_is_written(module, small, paths, capsys, monkeypatch):
    def untrained(examples, plan, **_options):
        return temporal_network(examples[0].inputs.shape[1], examples[0].targets.shape[1], plan)

    monkeypatch.setattr(module, "fit_temporal_network", untrained)
    folder, home = paths
    module.main([str(folder), "--home", str(home), "--held-out", "2"])
    out = capsys.readouterr().out
    assert "| songs | n | beats F" in out or "| songform |" in out
    assert not list(small.iterdir())


@pytest.mark.parametrize("module", [train_beats, train_sections])
def test_a_folder_without_labels_is_refused_in_one_sentence(module, small, paths, tmp_path_factory, capsys):
    folder = tmp_path_factory.mktemp("unlabeled")
    (folder / "1.flac").write_bytes((paths[0] / "1.flac").read_bytes())
    with pytest.raises(SystemExit) as stopped:
        module.main([str(folder), "--home", str(paths[1])])
    assert stopped.value.code == 1
    message = capsys.readouterr().err
    assert "have no song" in message
    assert message.count("\n") == 1


@pytest.mark.parametrize("module", [train_beats, train_sections])
def test_a_missing_folder_is_refused_in_one_sentence(module, small, paths, tmp_path, capsys):
    with pytest.raises(SystemExit) as stopped:
        module.main([str(tmp_path / "nowhere"), "--home", str(paths[1])])
    assert stopped.value.code == 1
    message = capsys.readouterr().err
    assert "nowhere" in message
    assert "Traceback" not in message


@pytest.mark.parametrize("module", [train_beats, train_sections])
def test_holding_out_every_song_is_refused(module, tmp_path, capsys):
    with pytest.raises(SystemExit) as stopped:
        module.main([str(tmp_path), "--held-out", "1"])
    assert stopped.value.code == 2
    assert "--held-out" in capsys.readouterr().err


def test_holding_out_the_only_song_is_refused_in_one_sentence(small, paths, tmp_path_factory, capsys):
    folder = tmp_path_factory.mktemp("one")
    for name in ("1.flac", "1.1.lab"):
        (folder / name).write_bytes((paths[0] / name).read_bytes())
    with pytest.raises(SystemExit) as stopped:
        train_sections.main([str(folder), "--home", str(paths[1]), "--held-out", "2"])
    assert stopped.value.code == 1
    assert "only one song" in capsys.readouterr().err


def test_beats_without_positions_have_no_downbeats_to_learn_from(tmp_path):
    (tmp_path / "song.beats").write_text("0.5\n1.0\n1.5\n")
    beats = _true_beats(read_beats(tmp_path / "song.beats"))
    assert beats.times.tolist() == [0.5, 1.0, 1.5]
    assert not beats.has_accents


def test_a_damaged_file_of_beats_is_refused_in_one_sentence(small, paths, tmp_path_factory, capsys):
    folder = tmp_path_factory.mktemp("damaged")
    (folder / "1.flac").write_bytes((paths[0] / "1.flac").read_bytes())
    (folder / "1.beats").write_text("0.5 1\n1.0 one\n")
    with pytest.raises(SystemExit) as stopped:
        train_beats.main([str(folder), "--home", str(paths[1])])
    assert stopped.value.code == 1
    message = capsys.readouterr().err
    assert "1.beats" in message
    assert "'one'" in message


@pytest.mark.system
def test_the_folder_is_ingested_by_the_command_line(paths, tmp_path):
    check_songs(list(labeled_songs([paths[0]], tmp_path / "home")))

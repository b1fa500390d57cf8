"""Reports of songs: JSON, pictures and a page, written once."""

from __future__ import annotations

import importlib
import inspect
import json
import pkgutil
import re
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import soundfile

import songform
from songform import plots
from songform.errors import CorpusError, ModelError
from songform.sections.section_finding import Sections, SongPart
from tasks.ingest.extract_tracks import extract_tracks
from tasks.ingest.sources.local_files import local_listing
from tasks.models.registry import fetch_bundle
from tasks.progress import listening
from tasks.report import report_stamp, song_reports
from tasks.report.exports import REKORDBOX, export_paths
from tasks.report.report_jobs import ReportJob
from tasks.report.report_tracks import report_tracks
from tasks.report.song_reports import PICTURES, current_report
from tasks.settings import Settings
from tasks.store.bundles import OWN_MODEL
from tasks.store.corpus import Corpus

PNG = b"\x89PNG\r\n\x1a\n"
DRAW = song_reports._draw


@pytest.fixture(autouse=True)
def drawn(monkeypatch):
    """Replace the pictures by short texts, which saves seconds; return the names of those that were drawn."""
    names = []

    def draw(pictures, song, form, sections):
        for name, path in pictures.items():
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(f"{name} of {song.record.title} with {len(form.segments)} segments")
            names.append(name)

    monkeypatch.setattr(song_reports, "_draw", draw)
    return names


def set_audio(patch, path):
    """Pretend that the audio of each song is at a path, or deleted if it is None."""
    for module in (song_reports, report_stamp):
        patch.setattr(module, "audio_file", lambda *_: path)


@pytest.fixture(scope="module")
def model(trained):
    return fetch_bundle.fn(trained.home, "models:/songform@champion")


def report(trained, model, *, n=1, out=None):
    return report_tracks.fn(trained.home, trained.plan.keys[:n], trained.settings, model, out=out, n_tracks=n)


@pytest.mark.parametrize("own", [True, False])
def test_a_report_partitions_the_song_and_names_its_model(trained, model, tmp_path, own):
    (document,) = report(trained, OWN_MODEL if own else model, out=tmp_path)
    assert Path(document["path"]) == tmp_path / f"{trained.plan.keys[0]}.json"
    assert json.loads(Path(document["path"]).read_bytes()) == {k: v for k, v in document.items() if k != "path"}
    fields = {"track", "settings", "model", "segments", "sections", "phrases", "beats", "exports", "stamp", "path"}
    assert set(document) - {"versions", "no_sections"} == fields
    assert set(document["track"]) == {"key", "title", "source", "duration"}
    assert Settings.model_validate(document["settings"]) == trained.settings
    edges = [(segment["start"], segment["end"]) for segment in document["segments"]]
    assert edges[0][0] == 0
    assert edges[-1][1] == document["track"]["duration"]
    assert [end for _, end in edges[:-1]] == [start for start, _ in edges[1:]]
    told = document["model"]
    assert told["uri"] == (None if own else "models:/songform/1")
    assert told["run_id"] == (None if own else trained.run_id)
    assert {segment["state"] for segment in document["segments"]} <= set(told["states"])
    assert set(told["weak"]) <= set(told["states"])


def test_report_repeats_the_notes_about_the_audio_of_a_track(trained, model, tmp_path):
    corpus, key = Corpus(trained.home), trained.plan.keys[0]
    record = corpus.record(key)
    try:
        corpus.save_record(record.model_copy(update={"notes": ("it is damaged at 8.9 s",)}))
        (document,) = report(trained, model, out=tmp_path)
    finally:
        corpus.save_record(record)
    assert document["track"]["notes"] == ["it is damaged at 8.9 s"]


PARTS = (SongPart(0.0, 12.34567, "A", 1.0, 1, 1), SongPart(12.34567, 20.0, "B", 0.51239, 1, 1, is_loudest=True))


@pytest.fixture
def no_page(monkeypatch):
    """Write no page, which saves half a second."""
    monkeypatch.setattr(song_reports, "write_song_page", lambda *_, **__: None)
    monkeypatch.setattr(song_reports, "is_page_current", lambda *_, **__: True)


@pytest.mark.usefixtures("no_page")
def test_report_has_the_sections_phrases_and_beats_of_the_song(trained, model, tmp_path, monkeypatch):
    monkeypatch.setattr("tasks.song_sections.find_sections", lambda *_, **__: Sections(PARTS, PARTS[:1]))
    (document,) = report(trained, model, out=tmp_path)
    assert [(part["start"], part["end"], part["label"]) for part in document["sections"]] == [
        (0.0, 12.346, "A"),
        (12.346, document["track"]["duration"], "B"),
    ]
    assert document["sections"][1]["confidence"] == 0.5124
    assert document["sections"][1]["is_loudest"]
    assert len(document["phrases"]) == 1
    assert "no_sections" not in document
    assert set(document["beats"]) == {"tempo", "metre", "is_metre_sure", "confidence", "path"}
    assert (trained.home / document["beats"]["path"]).is_file()


@pytest.mark.usefixtures("no_page")
def test_later_versions_of_beats_and_sections_are_part_of_the_report(trained, model, tmp_path, monkeypatch):
    for number, stage in ((98, "beats.beat_tracking"), (99, "sections.section_finding")):
        monkeypatch.setattr(f"songform.{stage}.VERSION", number)
    (document,) = report(trained, model, out=tmp_path)
    assert (document["versions"]["beats"], document["versions"]["sections"]) == (98, 99)


@pytest.mark.usefixtures("no_page")
def test_damaged_table_of_beats_is_a_note_that_is_not_part_of_the_stored_report(trained, model, tmp_path):
    (document,) = report(trained, model, out=tmp_path)
    table = trained.home / document["beats"]["path"]
    whole = table.read_bytes()
    table.write_bytes(b"zz")
    (again,) = report(trained, model, out=tmp_path)
    aside = table.with_name(f"{table.name}.damaged-1")
    assert aside.read_bytes() == b"zz"
    aside.unlink()
    (note,) = again.pop("notes")
    assert str(table) in note
    assert again == {name: value for name, value in document.items() if name != "stamp"}  # so that it is read again
    assert table.read_bytes() == whole
    assert "notes" not in json.loads(Path(document["path"]).read_bytes())
    assert report(trained, model, out=tmp_path) == [document]


def test_pictures_are_png_and_existing_ones_are_not_drawn_again(trained, model, tmp_path, monkeypatch):
    monkeypatch.setattr(song_reports, "_draw", DRAW)
    shown, spectrogram = {}, plots.spectrogram
    monkeypatch.setattr(
        plots, "spectrogram", lambda *tables, **more: shown.update(more) or spectrogram(*tables, **more)
    )
    (document,) = report(trained, model, out=tmp_path)
    assert [part.label for part in shown["sections"].sections] == [part["label"] for part in document["sections"]]
    assert round(shown["beats"].tempo, 2) == document["beats"]["tempo"]
    key = document["track"]["key"]
    pictures = {name: tmp_path / f"{key}.{name}.png" for name in PICTURES}
    assert all(path.read_bytes().startswith(PNG) for path in pictures.values())
    texts = {f"{key}{suffix}" for suffix in (".json", ".html", *document["exports"])}
    assert {path.name for path in tmp_path.iterdir()} == {*texts, *(path.name for path in pictures.values())}
    when = times(tmp_path)
    assert report(trained, model, out=tmp_path) == [document]
    assert times(tmp_path) == when
    pictures["rms"].unlink()
    report(trained, model, out=tmp_path)
    assert pictures["rms"].is_file()
    del when[pictures["rms"]]
    assert when.items() <= times(tmp_path).items()


def times(folder):
    return {path: path.stat().st_mtime_ns for path in folder.iterdir()}


def current(trained, model, folder, settings=None):
    return current_report(ReportJob(trained.home, trained.plan.keys[0], settings or trained.settings, model, folder))


def with_report_settings(settings, **values):
    return settings.model_copy(update={"report": settings.report.model_copy(update=values)})


def test_report_that_is_up_to_date_is_only_read(trained, model, tmp_path, monkeypatch):
    (document,) = report(trained, model, out=tmp_path)
    for name in ("read_features", "song_sections", "write_json"):
        monkeypatch.setattr(song_reports, name, None)
    assert report(trained, model, out=tmp_path) == [document]


@pytest.mark.parametrize("own", [True, False])
def test_report_is_not_up_to_date_if_anything_changes_that_it_is_made_from(trained, model, tmp_path, own):
    model = OWN_MODEL if own else model
    (document,) = report(trained, model, out=tmp_path)
    assert current(trained, model, tmp_path) == document
    path, corpus = Path(document["path"]), Corpus(trained.home)
    for file in [*tmp_path.iterdir(), trained.home / document["beats"]["path"]]:
        aside = file.rename(file.with_name("aside"))
        assert current(trained, model, tmp_path) is None, file
        aside.rename(file)
    record = corpus.record(trained.plan.keys[0])
    corpus.save_record(record.model_copy(update={"updated_at": "2001-01-01T00:00:00+00:00"}))
    assert current(trained, model, tmp_path) is None
    corpus.save_record(record)
    whole = path.read_text()
    path.write_text(whole.replace('"start": 0.0', '"start": 0.5', 1))
    assert current(trained, model, tmp_path) is None
    path.write_text(whole)
    assert (current(trained, replace(model, uri="models:/songform/9"), tmp_path)) is None
    assert current(trained, model, tmp_path) == document


def test_report_is_not_up_to_date_if_a_version_of_the_code_changes(trained, model, tmp_path, monkeypatch):
    report(trained, model, out=tmp_path)
    stages = {name for name in versioned_modules() if not name.startswith(WITHOUT_EFFECT)}
    stages = {"tasks.report.song_pages" if name == "songform.pages" else name for name in stages}  # imports the number
    assert len(stages) > 15
    for stage in stages:
        with monkeypatch.context() as patch:
            patch.setattr(f"{stage}.VERSION", 99)
            assert current(trained, model, tmp_path) is None, stage
    assert current(trained, model, tmp_path) is not None


# Modules with a VERSION that does not affect the report of a song.
WITHOUT_EFFECT = (
    *("songform.annotation.segmentation_scores", "songform.output.sonification", "songform.synth"),
    *("songform.learning.classification_metrics", "songform.learning.splits", "songform.learning.baselines"),
)


def versioned_modules():
    """Return the names of the modules of `songform` that have a VERSION."""
    names = [module.name for module in pkgutil.walk_packages(songform.__path__, "songform.")]
    sources = {name: inspect.getsource(importlib.import_module(name)) for name in names}
    return {name for name, source in sources.items() if re.search(r"^VERSION\b", source, re.MULTILINE)}


def test_report_without_a_stamp_gets_one_and_is_not_drawn_again(trained, model, tmp_path, drawn):
    """Earlier versions of songform wrote no stamp, and fewer settings."""
    (document,) = report(trained, OWN_MODEL, out=tmp_path)
    path, when = Path(document["path"]), times(tmp_path)
    older = {name: value for name, value in document.items() if name not in ("stamp", "path")}
    older["settings"] = {**older["settings"], "report": {"audio": "embed"}}
    path.write_text(json.dumps(older))
    drawn.clear()
    assert report(trained, OWN_MODEL, out=tmp_path) == [document]
    assert json.loads(path.read_bytes())["stamp"] == document["stamp"]
    assert (drawn, times(tmp_path) | {path: 0}) == ([], when | {path: 0})


DAMAGED_EXPORTS = ("5", "null", "[5]", '["x"]', '{"a": 1}', '["a/b"]', "[[]]")


@pytest.mark.usefixtures("no_page")
@pytest.mark.parametrize(
    "text",
    [
        *("[]", "{}", '{"settings": 1, "stamp": []}', "{", '"stamp"', '{"a": NaN}', r'{"a": "\ud800"}'),
        *(f'{{"exports": {listed}}}' for listed in DAMAGED_EXPORTS),
    ],
)
def test_file_that_is_not_a_report_is_written_again(trained, model, tmp_path, text):
    (document,) = report(trained, model, out=tmp_path)
    Path(document["path"]).write_text(text)
    assert report(trained, model, out=tmp_path) == [document]


def test_without_pictures_nothing_is_drawn_until_they_are_wanted(trained, model, tmp_path, drawn):
    settings = with_report_settings(trained.settings, pictures=False)
    (document,) = report_tracks.fn(trained.home, trained.plan.keys[:1], settings, model, out=tmp_path, n_tracks=1)
    assert drawn == []
    suffixes = {path.name.removeprefix(trained.plan.keys[0]) for path in tmp_path.iterdir()}
    assert suffixes == {".json", ".html", *document["exports"]}
    assert current(trained, model, tmp_path, settings) == document
    when = times(tmp_path)
    report(trained, model, out=tmp_path)
    assert drawn == list(PICTURES)
    assert {path: time for path, time in times(tmp_path).items() if path.suffix != ".png"} == when


def test_without_pictures_those_of_an_earlier_report_are_removed(trained, model, tmp_path, monkeypatch):
    """They would show something else than the new report."""
    report(trained, model, out=tmp_path)
    settings = with_report_settings(trained.settings, pictures=False)
    keys = trained.plan.keys[:1]
    report_tracks.fn(trained.home, keys, settings, model, out=tmp_path, n_tracks=1)
    assert len(list(tmp_path.glob("*.png"))) == len(PICTURES)
    monkeypatch.setattr("songform.structure.segments.VERSION", 99)
    report_tracks.fn(trained.home, keys, settings, model, out=tmp_path, n_tracks=1)
    assert list(tmp_path.glob("*.png")) == []


@pytest.mark.usefixtures("no_page")
@pytest.mark.parametrize(
    "stage",
    ["plots", "annotation.formats", "structure.boundaries", "structure.segments", "structure.silence"],
)
def test_pictures_and_exports_of_an_earlier_version_are_made_again_once(trained, model, tmp_path, monkeypatch, stage):
    (document,) = report(trained, model, out=tmp_path)
    path = Path(document["path"])
    made = [path.with_suffix(f".{name}.png") for name in PICTURES] + export_paths(path, document)
    before = {each: each.read_bytes() for each in made}
    for each in made:
        each.write_bytes(b"by an earlier version")
    assert report(trained, model, out=tmp_path) == [document]
    assert {each.read_bytes() for each in made} == {b"by an earlier version"}  # existing files are up to date
    monkeypatch.setattr(f"songform.{stage}.VERSION", 99)
    (later,) = report(trained, model, out=tmp_path)
    assert 99 in later["versions"].values()
    assert later | {"versions": None, "stamp": None} == document | {"versions": None, "stamp": None}
    assert {each: each.read_bytes() for each in made} == before
    when = times(tmp_path)
    assert report(trained, model, out=tmp_path) == [later]
    assert times(tmp_path) == when


@pytest.mark.usefixtures("no_page")
def test_report_that_cannot_be_checked_is_not_up_to_date(trained, model, tmp_path, monkeypatch):
    def fail(*_, **__):
        raise PermissionError(13, "Permission denied")

    report(trained, model, out=tmp_path)
    for module, name in (
        (song_reports, "is_page_current"),
        (song_reports, "readable_record"),
        (report_stamp, "audio_file"),
    ):
        with monkeypatch.context() as patch:
            patch.setattr(module, name, fail)
            assert current(trained, model, tmp_path) is None, name


@pytest.mark.usefixtures("no_page")
def test_interrupted_report_does_not_leave_its_files_to_the_report_before_it(trained, model, tmp_path, monkeypatch):
    set_audio(monkeypatch, None)
    (document,) = report(trained, model, out=tmp_path)
    path = Path(document["path"])
    made = [path.with_suffix(f".{name}.png") for name in PICTURES] + export_paths(path, document)
    before = {each: each.read_bytes() for each in made}
    collection = path.with_suffix(REKORDBOX)

    def interrupt(*_, **__):
        assert collection.is_file()
        for each in made:
            each.write_bytes(b"by the second analysis")
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr("songform.structure.segments.VERSION", 99)
        set_audio(patch, Path("/music/song.flac"))
        patch.setattr(song_reports, "write_song_page", interrupt)
        for _ in range(2):
            with pytest.raises(KeyboardInterrupt):
                report(trained, model, out=tmp_path)
    unfinished = json.loads(path.read_bytes())
    assert unfinished["unfinished"]
    assert unfinished["segments"] == document["segments"]
    assert set(unfinished["exports"]) == {*document["exports"], REKORDBOX}
    assert current(trained, model, tmp_path) is None
    assert report(trained, model, out=tmp_path) == [document]
    assert {each: each.read_bytes() for each in made} == before
    assert not collection.exists()
    assert json.loads(path.read_bytes()) == {name: value for name, value in document.items() if name != "path"}


@pytest.mark.usefixtures("no_page")
def test_pictures_are_kept_if_only_the_exports_change(trained, model, tmp_path, monkeypatch, drawn):
    """Without audio there is no Rekordbox file."""
    (document,) = report(trained, model, out=tmp_path)
    drawn.clear()
    set_audio(monkeypatch, None)
    (without,) = report(trained, model, out=tmp_path)
    assert set(document["exports"]) - set(without["exports"]) == {REKORDBOX}
    assert drawn == []
    assert "unfinished" not in json.loads(Path(without["path"]).read_bytes())


def test_champion_and_its_version_share_their_reports(trained, model, tmp_path):
    (document,) = report(trained, fetch_bundle.fn(trained.home, "models:/songform/1"), out=tmp_path)
    when = times(tmp_path)
    assert report(trained, model, out=tmp_path) == [document]
    assert times(tmp_path) == when


def test_reports_are_in_the_folder_of_their_model_and_announced(trained, model):
    heard = []
    with listening(heard.append):
        documents = report(trained, model, n=2)
    folder = trained.home / "data" / "reports" / model.model_id
    assert [Path(document["path"]).parent for document in documents] == [folder] * 2
    announced = [event for event in heard if event.stage == "reports"]
    assert [(event.done, event.total) for event in announced] == [(1, 2), (2, 2)]
    # Reports that are up to date are known first, so the order is not that of the songs.
    assert {event.detail for event in announced} == {document["track"]["title"] for document in documents}


def test_unknown_track_raises_one_sentence(trained, model):
    with pytest.raises(CorpusError, match=r"no track feed-0 .*; .*songform ingest"):
        report_tracks.fn(trained.home, ["feed-0"], trained.settings, model, out=None, n_tracks=1)


def test_song_too_short_to_fit_states_raises_one_sentence(tmp_path, quick, sound):
    (tmp_path / "songs").mkdir()
    (tmp_path / "songs" / "short.flac").write_bytes(sound("FLAC", 440.0, 1.0))
    (track,) = local_listing(tmp_path / "songs").tracks
    extract_tracks.fn(tmp_path, [(track, Path(track.path))], quick, 1)
    with pytest.raises(ModelError, match=r"^short cannot be analyzed without a trained model: "):
        report_tracks.fn(tmp_path, [track.key], quick, OWN_MODEL, out=None, n_tracks=1)


def test_silent_song_without_a_trained_model_raises_one_sentence(tmp_path, quick):
    (tmp_path / "songs").mkdir()
    soundfile.write(tmp_path / "songs" / "silent.flac", np.zeros(5 * 22050), 22050)
    (track,) = local_listing(tmp_path / "songs").tracks
    extract_tracks.fn(tmp_path, [(track, Path(track.path))], quick, 1)
    with pytest.raises(ModelError, match=r"^silent cannot be .* only digital silence; .* songform train$"):
        report_tracks.fn(tmp_path, [track.key], quick, OWN_MODEL, out=None, n_tracks=1)


def test_missing_bundle_raises_one_sentence(trained, model):
    with pytest.raises(ModelError, match=r"is not a bundle.*train again"):
        report(trained, replace(model, model_id="0123456789ab"))


def test_settings_other_than_those_of_the_model_raise_one_sentence(trained, model):
    frames = trained.settings.frames.model_copy(update={"hop_length": 256})
    other = trained.settings.model_copy(update={"frames": frames})
    with pytest.raises(
        ModelError, match=r"frames\.hop_length = 512, but .* 256 .*; .*--set frames\.hop_length=512, or train"
    ):
        report_tracks.fn(trained.home, trained.plan.keys[:1], other, model, out=None, n_tracks=1)


def test_song_too_short_to_fit_states_does_not_stop_the_others(extracted, tmp_path, quick, sound):
    shutil.copytree(extracted / "data", tmp_path / "data")
    (tmp_path / "songs").mkdir()
    (tmp_path / "songs" / "short.flac").write_bytes(sound("FLAC", 440.0, 1.0))
    (track,) = local_listing(tmp_path / "songs").tracks
    extract_tracks.fn(tmp_path, [(track, Path(track.path))], quick, 1)
    good = next(record.key for record in Corpus(tmp_path).records() if record.key != track.key)
    short, whole = report_tracks.fn(tmp_path, [track.key, good], quick, OWN_MODEL, out=tmp_path / "out", n_tracks=2)
    assert short["error"].startswith("short cannot be analyzed")
    assert whole["track"]["key"] == good
    assert (tmp_path / "out" / f"{good}.json").is_file()


def test_pictures_show_boxes_with_a_note_until_a_font_is_installed(trained, model, tmp_path, monkeypatch):
    """No test depends on the fonts of the machine: whether a font is installed is simulated."""
    note = "pictures show boxes for Japanese letters of titles"
    drawn = []
    monkeypatch.setattr("tasks.report.song_reports._draw", lambda pictures, *_: drawn.extend(pictures))
    monkeypatch.setattr("tasks.report.song_reports.write_song_page", lambda *_, **__: None)
    monkeypatch.setattr("songform.plots.missing_letters_note", lambda _: note)
    for name in PICTURES:
        (tmp_path / f"{trained.plan.keys[0]}.{name}.png").write_bytes(PNG)
    (without, again) = (report(trained, model, out=tmp_path)[0] for _ in range(2))
    assert (without["picture_note"], without["notes"], again, len(drawn)) == (note, [note], without, len(PICTURES))
    assert json.loads(Path(without["path"]).read_bytes())["picture_note"] == note
    monkeypatch.setattr("songform.plots.missing_letters_note", lambda _: "")
    (document, _) = (report(trained, model, out=tmp_path)[0] for _ in range(2))
    assert len(drawn) == 2 * len(PICTURES)
    assert "picture_note" not in document
    assert "notes" not in document


NOTE = "pictures show boxes for Japanese letters of titles"


@pytest.mark.usefixtures("no_page")
def test_report_with_a_note_about_its_pictures_is_only_read(trained, model, tmp_path, monkeypatch):
    monkeypatch.setattr("songform.plots.missing_letters_note", lambda _: NOTE)
    (document,) = report(trained, model, out=tmp_path)
    with monkeypatch.context() as patch:
        patch.setattr(song_reports, "read_features", None)
        assert report(trained, model, out=tmp_path) == [document]
    assert document["notes"] == [NOTE]
    monkeypatch.setattr("songform.plots.missing_letters_note", lambda _: "another note")
    assert current(trained, model, tmp_path) is None


@pytest.mark.usefixtures("no_page")
def test_pictures_with_a_note_are_kept_if_no_pictures_are_wanted(trained, model, tmp_path, monkeypatch, drawn):
    monkeypatch.setattr("songform.plots.missing_letters_note", lambda _: NOTE)
    (document,) = report(trained, model, out=tmp_path)
    stored = json.loads(Path(document["path"]).read_bytes())
    del stored["stamp"]  # as earlier versions wrote it
    Path(document["path"]).write_text(json.dumps(stored))
    drawn.clear()
    settings, keys = with_report_settings(trained.settings, pictures=False), trained.plan.keys[:1]
    for _ in range(2):
        (without,) = report_tracks.fn(trained.home, keys, settings, model, out=tmp_path, n_tracks=1)
        assert "notes" not in without
    assert len(list(tmp_path.glob("*.png"))) == len(PICTURES)
    assert report(trained, model, out=tmp_path) == [document]
    assert drawn == []
    report_tracks.fn(trained.home, keys, settings, model, out=tmp_path, n_tracks=1)
    monkeypatch.setattr("songform.plots.missing_letters_note", lambda _: "")
    report(trained, model, out=tmp_path)
    assert drawn == list(PICTURES)  # a font was installed


@pytest.mark.usefixtures("no_page")
def test_settings_without_effect_do_not_affect_reports_without_a_trained_model(trained, tmp_path):
    (document,) = report(trained, OWN_MODEL, out=tmp_path)
    settings = trained.settings
    run = settings.model_copy(update={"run": settings.run.model_copy(update={"workers": 2})})
    assert current(trained, OWN_MODEL, tmp_path, run) == document
    states = settings.model_copy(update={"states": settings.states.model_copy(update={"n_states": 4})})
    assert current(trained, OWN_MODEL, tmp_path, states) is None

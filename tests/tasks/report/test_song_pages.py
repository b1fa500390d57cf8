"""Pages: written once, with embedded audio, with audio next to them, or with a note on why there is none."""

from __future__ import annotations

import base64
import os
import re
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from songform.bundle import Bundle
from songform.sections.section_finding import Sections
from songform.structure.states import fit_states, unit_vectors
from tasks.report.song_pages import PLAYABLE, write_song_page
from tasks.settings import Settings
from tasks.song_sections import SongSections
from tasks.store.bundles import ModelInfo
from tasks.store.corpus import Corpus
from tasks.store.tables import read_features, read_overview

DOCUMENT = {"segments": []}
MODEL = ModelInfo("models:/songform/1", "0123456789ab", "run", True)


@dataclass
class Given:
    """A song, the folder for its page, and everything that the page is made from."""

    folder: Path
    home: Path
    record: Any
    more: dict[str, Any]
    settings: Settings

    def write(self, *, document=DOCUMENT, **report):
        """Write the page with some settings of the section `report`, and return its path."""
        settings = self.settings.model_copy(update={"report": self.settings.report.model_copy(update=report)})
        return write_song_page(
            self.folder, self.home, record=self.record, settings=settings, document=document, model=MODEL, **self.more
        )

    def sound(self, **report):
        """Return the address of the page's audio, and the note if there is none."""
        html = self.write(**report).read_text(encoding="utf-8")
        played = re.search(r'<audio id="audio" preload="auto" src="([^"]*)">', html)
        said = re.search(r'<p class="note" id="no-sound">(.*?)</p>', html)
        return played and played[1], said and said[1]


@pytest.fixture
def given(extracted, quick, tmp_path):
    record = Corpus(extracted).records()[0]
    audio = tmp_path / "songs" / "one.flac"
    audio.parent.mkdir()
    shutil.copyfile(record.path, audio)
    corpus = Corpus(extracted)
    features, overview = read_features(corpus, record.key, quick), read_overview(corpus, record.key, quick)
    bundle = Bundle(fit_states([unit_vectors(features, overview)]), None, 0.0, tuple(features.columns))
    form = bundle.form(features, overview, record.duration)
    more = {"features": features, "overview": overview, "bundle": bundle, "form": form}
    more["sections"] = SongSections(Sections(reason="the song is too short"))
    record = record.model_copy(update={"path": str(audio)})
    return Given(tmp_path / "reports", tmp_path / "home", record, more, quick)


@pytest.fixture
def fetched(given):
    """Turn the song into one from the web, which has no local file."""
    given.record = given.record.model_copy(update={"path": None, "source": "https://example.org/a"})
    return given


def test_small_file_is_embedded_in_the_page(given):
    played, said = given.sound()
    assert said is None
    kind, _, content = played.partition(";base64,")
    assert kind == "data:audio/flac"
    assert base64.b64decode(content) == Path(given.record.path).read_bytes()
    assert {path.name for path in given.folder.iterdir()} == {f"{given.record.key}.html"}


@pytest.mark.parametrize("report", [{"audio": "beside"}, {"embed_megabytes": 0.001}], ids=["asked for", "too large"])
def test_file_next_to_the_page_is_a_hard_link(given, report):
    beside = given.folder / f"{given.record.key}.flac"
    assert given.sound(**report) == (beside.name, None)
    assert beside.samefile(given.record.path)


def test_a_file_on_another_disk_is_copied(given, monkeypatch):
    def refuse(self, target):
        raise OSError(18, "Invalid cross-device link")

    monkeypatch.setattr(Path, "hardlink_to", refuse)
    given.sound(audio="beside")
    beside = given.folder / f"{given.record.key}.flac"
    assert not beside.samefile(given.record.path)
    assert beside.read_bytes() == Path(given.record.path).read_bytes()


def test_page_has_no_audio_if_the_setting_is_none(given):
    played, said = given.sound(audio="none")
    assert played is None
    assert "--set report.audio=embed" in said


def test_kept_audio_is_played_and_the_note_for_deleted_audio_says_how_to_keep_it(fetched):
    played, said = fetched.sound()
    assert played is None
    assert "--set audio.keep=true" in said
    assert f"data/tracks/{fetched.record.key}.json" in said
    kept = Corpus(fetched.home).audio_path(fetched.record.key, fetched.settings.audio.encoding)
    kept.parent.mkdir(parents=True)
    kept.write_bytes(b"ID3 of a kind")
    assert fetched.sound() == (f"data:audio/mpeg;base64,{base64.b64encode(b'ID3 of a kind').decode()}", None)


def test_note_for_a_missing_file_has_its_name_without_its_folder(given):
    Path(given.record.path).unlink()
    played, said = given.sound()
    assert played is None
    assert re.search(r"^No sound: one\.flac was .*deleted", said)
    assert str(given.home.parent) not in given.write().read_text(encoding="utf-8")


@pytest.mark.parametrize("suffix", [".wma", ".AIF", ".mka"])
def test_file_that_browsers_do_not_play_gets_a_note(given, suffix):
    audio = Path(given.record.path).rename(Path(given.record.path).with_suffix(suffix))
    given.record = given.record.model_copy(update={"path": str(audio)})
    played, said = given.sound()
    assert played is None
    assert re.search(rf"^No sound: browsers .*{re.escape(suffix.lower())}", said)
    assert suffix.lower() not in PLAYABLE


def test_page_that_is_up_to_date_is_not_written_again(given):
    path = given.write()
    before = path.stat().st_mtime_ns
    assert given.write() == path
    assert path.stat().st_mtime_ns == before


@pytest.mark.parametrize("change", ["report", "sound", "settings", "version", "context", "curves", "cut"])
def test_page_is_written_again_if_anything_that_it_is_made_from_changes(given, monkeypatch, change):
    path, document = given.write(), DOCUMENT
    settings = {}
    if change == "report":
        document = {**DOCUMENT, "segments": [1]}
    elif change == "sound":
        os.utime(given.record.path, ns=(1, 1))
    elif change == "settings":
        settings = {"audio": "none"}
    elif change == "version":
        monkeypatch.setattr("tasks.report.song_pages.VERSION", 99)
    elif change == "context":
        monkeypatch.setattr("songform.structure.context.VERSION", 99)
    elif change == "curves":
        monkeypatch.setattr("songform.structure.normalized_curves.VERSION", 99)
    else:
        path.write_bytes(b"<!doctype html>")
    before = path.read_bytes()
    given.write(document=document, **settings)
    assert path.read_bytes() != before


def test_audio_that_was_removed_from_next_to_a_page_is_restored(given):
    given.write(audio="beside")
    beside = given.folder / f"{given.record.key}.flac"
    beside.unlink()
    given.write(audio="beside")
    assert beside.is_file()


def test_page_names_its_model(given):
    assert "<span>models:/songform/1 (0123456789ab)</span>" in given.write().read_text(encoding="utf-8")


def test_the_page_names_a_local_file_without_its_folders(given):
    html = given.write().read_text(encoding="utf-8")
    assert '<span class="source">one.flac</span>' in html
    assert str(given.home.parent) not in html

"""Rekordbox XML: what is written, what other programs' files are read as, and what is refused."""

from __future__ import annotations

from pathlib import Path
from xml.etree import ElementTree as ET

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from songform.annotation.annotations import Annotation, fitted
from songform.annotation.beat_annotation import fitted_beats
from songform.annotation.formats import parsed_annotation, read_labels, rekordbox
from songform.annotation.formats.rekordbox import RekordboxTrack, file_location
from songform.beats.beat_grid import GridStretch
from songform.errors import AnnotationError

# Attributes that are required in the vendor's list of the XML format, by node.
ATTRIBUTES = {
    "DJ_PLAYLISTS": {"Version"},
    "PRODUCT": {"Name", "Version", "Company"},
    "COLLECTION": {"Entries"},
    "TRACK": {"TrackID", "Name", "TotalTime", "AverageBpm", "Location"},
    "TEMPO": {"Inizio", "Bpm", "Metro", "Battito"},
    "POSITION_MARK": {"Name", "Type", "Start", "Num"},
}
GRID = (GridStretch(0.5, 120.0, 4, 3), GridStretch(10.0, 125.5, 4, 2))


def annotation(edges, labels):
    return Annotation(np.column_stack((edges[:-1], edges[1:])), labels)


def track(sections=None, title="A song", location=Path("/music/a song.mp3"), grid=GRID):
    return RekordboxTrack(location, title, 20.4, 120.0, grid, sections)


def test_nodes_have_the_attributes_of_the_format():
    root = ET.fromstring(rekordbox.write([track(annotation([0, 9.1234, 20.4], ["A", "B"]))]))
    collection = root.find("COLLECTION")
    for node in [root, root.find("PRODUCT"), collection, *collection.iter()]:
        assert set(node.attrib) == ATTRIBUTES[node.tag]
    (song,) = collection
    assert (song.get("TotalTime"), song.get("AverageBpm")) == ("20", "120.00")
    assert song.get("Location") == "file://localhost/music/a%20song.mp3"
    assert [node.attrib for node in song.findall("TEMPO")] == [
        {"Inizio": "0.500", "Bpm": "120.00", "Metro": "4/4", "Battito": "3"},
        {"Inizio": "10.000", "Bpm": "125.50", "Metro": "4/4", "Battito": "2"},
    ]
    assert [node.attrib for node in song.findall("POSITION_MARK")] == [
        {"Name": "A", "Type": "0", "Start": "0.000", "Num": "-1"},
        {"Name": "B", "Type": "0", "Start": "9.123", "Num": "-1"},
    ]


def test_playlist_contains_all_tracks_of_the_collection():
    root = ET.fromstring(rekordbox.write([track(title="one"), track(title="two")]))
    ids = [node.get("TrackID") for node in root.iterfind("COLLECTION/TRACK")]
    assert [node.get("Key") for node in root.iterfind("PLAYLISTS/NODE/NODE/TRACK")] == ids == ["1", "2"]
    assert root.find("COLLECTION").get("Entries") == root.find("PLAYLISTS/NODE/NODE").get("Entries") == "2"


@settings(max_examples=30)
@given(st.text(max_size=20), st.text(max_size=20))
def test_any_title_and_label_result_in_valid_xml(title, label):
    sections = annotation([0.0, 5.0, 20.4], [label, "B"])
    text = rekordbox.write([track(sections, title)])
    assert rekordbox.recognizes(text)
    found = rekordbox.read(text)
    expected = " ".join(sections.labels[0].replace("\ufffe", "").replace("\uffff", "").split())
    assert found.labels == (expected or "cue 1", "B")


def test_path_may_contain_any_bytes():
    assert file_location(Path("/m/caf\udce9 & ü.mp3")) == "file://localhost/m/caf%E9%20%26%20%C3%BC.mp3"


def test_only_the_ten_longest_sections_are_cues():
    lengths = np.array([5, 1, 9, 9, 1, 9, 9, 9, 9, 9, 9, 9, 1], float)  # of 13 sections; the first of nine is not cut
    edges = np.concatenate(([0.0], np.cumsum(lengths)))
    names = [f"S{n}" for n in range(len(lengths))]
    found = rekordbox.read(rekordbox.write([track(annotation(edges, names))]))
    assert found.labels == tuple(name for name, length in zip(names, lengths, strict=True) if length > 1)
    assert found.intervals[:, 0].tolist() == edges[:-1][lengths > 1].tolist()


def test_sections_read_back_with_their_ends():
    sections = annotation([0.0, 9.123, 15.5, 20.4], ["A", "B", "A"])
    found, notes = fitted(rekordbox.read(rekordbox.write([track(sections)])), 20.4)
    assert np.allclose(found.intervals, sections.intervals, rtol=0, atol=0.0005)
    assert found.labels == sections.labels
    assert notes == []


@pytest.mark.parametrize("tempo", [97.0, 120.0, 240.0])
@pytest.mark.parametrize("tenth", range(10))
def test_last_beat_of_a_song_of_any_duration_is_read_back(tenth, tempo):
    duration = 20 + tenth / 10
    grid = [GridStretch(duration - 0.02 - 60 / tempo * 30, tempo, 4, 1)]
    text = rekordbox.write([RekordboxTrack(Path("/a.mp3"), "A song", duration, tempo, tuple(grid))])
    found = fitted_beats(rekordbox.read_with_beats(text)[1], duration)
    assert found.times.tolist() == pytest.approx(grid[0].beats(31).tolist(), abs=0.001)


def test_exact_duration_ends_the_beat_grid():
    _, beats = rekordbox.read_with_beats(xml(tempo(0.25), total="20.6"))
    assert beats.times[-1] == pytest.approx(20.25)


def test_collection_of_rekordbox_is_recognized_by_suffix_and_by_content(tmp_path):
    text = rekordbox.write([track(annotation([0.0, 20.4], ["A"]))])
    for name in ("x.xml", "x", "x.txt", "X.XML"):
        assert parsed_annotation(text, name).labels == ("A",)
        (tmp_path / name).write_text(text, encoding="utf-8-sig")
        sections, beats = read_labels(tmp_path / name)
        assert sections.labels == ("A",)
        assert beats.times[[0, 1, -1]].tolist() == pytest.approx([0.5, 1.0, 10.0 + 21 * 60 / 125.5])


def xml(body, total="20"):
    return (
        '<?xml version="1.0" encoding="UTF-8"?>\n<DJ_PLAYLISTS Version="1.0.0"><COLLECTION Entries="1">'
        f'<TRACK TrackID="1" Name="Song" TotalTime="{total}" Location="file://localhost/C:/x.mp3">{body}</TRACK>'
        "</COLLECTION></DJ_PLAYLISTS>"
    )


def mark(start, name="", num=-1, kind=0, **more):
    extra = "".join(f' {key}="{value}"' for key, value in more.items())
    return f'<POSITION_MARK Name="{name}" Type="{kind}" Start="{start}" Num="{num}"{extra}/>'


def tempo(start, bpm=120, metro="4/4", beat=1):
    return f'<TEMPO Inizio="{start}" Bpm="{bpm}" Metro="{metro}" Battito="{beat}"/>'


def test_memory_cues_are_preferred_and_the_others_are_counted():
    marks = [mark(12, "Drop"), mark(0.5, "Intro"), mark(3, "hot", 0, Red="40"), mark(8, "loop", kind=4, End="9")]
    found = rekordbox.read(xml("".join(marks)))
    assert found.labels == ("Intro", "Drop")
    assert found.is_point.all()
    (note,) = found.notes
    assert "left out (hot cues, loops and fades) is 2" in note
    assert (found.title, found.duration) == ("Song", 20.0)


def test_hot_cues_are_read_if_there_are_no_memory_cues():
    found = rekordbox.read(xml(mark(1, "A", 0) + mark(5, "", 1)))
    assert found.labels == ("A", "cue 2")
    hot, unnamed = found.notes
    assert "its hot cues were read" in hot
    assert "without a name, which are labeled cue 1, cue 2 and so on, is 1" in unnamed


def test_beat_grid_is_read_as_beats(tmp_path):
    path = tmp_path / "song.xml"
    path.write_text(xml(tempo("0.25", "120.00", beat=4) + tempo("10.25", 60, "3/4", 1)), encoding="utf-8")
    sections, beats = read_labels(path)
    assert sections is None
    assert beats.times.tolist() == pytest.approx([*np.arange(0.25, 10, 0.5), *np.arange(10.25, 20.5, 1.0)])
    assert beats.positions.tolist() == [4, *[1, 2, 3, 4] * 4, 1, 2, 3, *[1, 2, 3] * 3, 1, 2]
    (note,) = beats.notes
    assert "beats from 0.2 to 20.2 s" in note


def test_bars_that_do_not_fit_together_leave_out_the_downbeats(tmp_path):
    path = tmp_path / "song.xml"
    path.write_text(xml(tempo(0, beat=1) + tempo(10, beat=3)), encoding="utf-8")
    beats = read_labels(path).beats
    assert beats.positions is None
    assert "its downbeats were left out" in beats.notes[1]


REFUSED = {
    "<score-partwise/>": "root 'score-partwise' instead of 'DJ_PLAYLISTS'",
    "<DJ_PLAYLISTS": "not valid XML (line 1, column",
    "<DJ_PLAYLISTS/>": "it contains no track",
    xml("").replace("</COLLECTION>", "<TRACK/></COLLECTION>"): "it contains 2 tracks instead of one",
    '<!DOCTYPE x [<!ENTITY y "z">]><DJ_PLAYLISTS/>': "a document type declaration",
    xml(""): "neither cues nor a beat grid",
    xml(mark("1:20")): "cue 1 has '1:20' as its Start, which is not a number from 0",
    xml(mark(-1)): "cue 1 has '-1' as its Start",
    xml(tempo(0, 0)): "TEMPO 1 has 0 beats per minute",
    xml(tempo(0, "nan")): "TEMPO 1 has 'nan' as its Bpm",
    xml(tempo(0, metro="x")): "TEMPO 1 has the metre 'x'",
    xml(tempo(0, beat=5)): "TEMPO 1 has the metre '4/4' and the beat '5'",
    xml(tempo(3) + tempo(3)): "TEMPO 2 begins at 3 s, but the one before it begins at 3 s",
    xml(tempo(0), total=""): "no TotalTime",
    xml(tempo(0), total="5000000"): "longer than 168 hours",
}


@pytest.mark.parametrize("text", REFUSED)
def test_error_names_the_node_and_its_value(tmp_path, text):
    path = tmp_path / "song.xml"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(AnnotationError) as caught:
        read_labels(path)
    assert REFUSED[text] in str(caught.value)
    assert str(caught.value).startswith("song.xml cannot be used: ")


def test_beat_grid_without_cues_has_no_sections():
    with pytest.raises(AnnotationError, match="its track has no cues"):
        rekordbox.read(xml(tempo(0)))


@settings(max_examples=50)
@given(st.data())
def test_any_text_is_read_or_refused_with_one_sentence(data):
    whole = xml(tempo("0.25") + mark(1, "A") + mark(4, "B"))
    first, last = sorted(data.draw(st.tuples(*[st.integers(0, len(whole))] * 2)))
    text = whole[:first] + data.draw(st.text('0123456789.-"<>/= aABTEMPO', max_size=30)) + whole[last:]
    contents, message = read_or_message(text)
    assert (message is None) == any(part is not None for part in contents)
    assert "\n" not in (message or "")


def read_or_message(text):
    try:
        return rekordbox.read_with_beats(text), None
    except AnnotationError as error:
        return (None, None), str(error)

"""M3U, PLS, XSPF and OPML lists, by address and as local files."""

from __future__ import annotations

import json
from contextlib import contextmanager

import pytest

from songform.errors import SourceError
from tasks.ingest.lists.recognize import read_list
from tasks.ingest.sources.resolve_source import list_tracks
from tasks.settings import DownloadSettings
from tasks.store.tracks import feed_key, web_key

SETTINGS = DownloadSettings()
XSPF = '<?xml version="1.0"?><playlist xmlns="http://xspf.org/ns/0/"><trackList>{}</trackList></playlist>'
JSON = json.dumps(
    {
        "version": "https://jsonfeed.org/version/1.1",
        "title": "list",
        "items": [
            {"id": "1", "attachments": [{"url": "music/ein lied.flac", "mime_type": "audio/flac"}]},
            {"attachments": [{"url": "https://a.example/2.mp3", "mime_type": "audio/mpeg"}]},
        ],
    }
)
HLS = "#EXTM3U\n#EXT-X-TARGETDURATION:9\n#EXTINF:9,\na.ts\n#EXT-X-ENDLIST\n"


def listed(source):
    return list_tracks(str(source), settings=SETTINGS)


@pytest.mark.parametrize(
    ("path", "content_type", "body"),
    [
        ("/l/list.m3u", "audio/x-mpegurl", "#EXTM3U\n#EXTINF:3,Ein Lied\na.ogg\n\n# c\n#EXTINF:-1,\nb.ogg\n"),
        ("/l/list.m3u", "audio/mpeg", "#EXTM3U\n#EXTINF:3,Ein Lied\na.ogg\nb.ogg\n"),
        ("/l/list.m3u8", "application/vnd.apple.mpegurl", "\ufeff#EXTM3U\r\n#EXTINF:3,Ein Lied\r\na.ogg\r\nb.ogg\r\n"),
        ("/l/list.m3u", "text/plain", "#EXTINF:3,Ein Lied\na.ogg\nb.ogg\n"),
        ("/l/list", "application/x-mpegurl", '#EXTINF:3 group-title="x,y",Ein Lied\na.ogg\nb.ogg\n'),
        (
            "/l/list.pls",
            "audio/x-scpls",
            "[playlist]\nFile2=b.ogg\nFile1=a.ogg\nTitle1=Ein Lied\nLength1=3\nVersion=2\n",
        ),
        ("/l/any", "text/plain", "\n[Playlist]\r\nfile1 = a.ogg\r\ntitle1=Ein Lied\r\nlength1=3\r\nfile2=b.ogg\r\n"),
        (
            "/l/list.xspf",
            "application/xspf+xml",
            XSPF.format(
                "<track><location>a.ogg</location><title>Ein Lied</title><duration>3000</duration></track>"
                "<track><title>nothing</title></track><track><location>b.ogg</location></track>"
            ),
        ),
    ],
)
def test_playlist_at_an_address_lists_its_files_without_further_requests(path, content_type, body, site, patience):
    found = list_tracks(site.put(path, body, content_type), settings=patience)
    assert [(track.key, track.title, track.duration) for track in found.tracks] == [
        (web_key(f"{site.url}/l/a.ogg"), "Ein Lied", 3.0),
        (web_key(f"{site.url}/l/b.ogg"), "b", None),
    ]
    assert site.asked == [path]


def test_entry_of_a_web_playlist_that_is_no_file_is_listed_in_turn(site, ogg, patience):
    feed = site.put_feed("/feed", "F", {"title": "In the feed", "url": f"{site.url}/a.ogg", "guid": "g1"})
    site.put("/play?id=1", ogg)
    found = list_tracks(site.put("/l.m3u", f"{feed}\n/play?id=1\nb.ogg\n/none\n", "audio/x-mpegurl"), settings=patience)
    assert {track.key for track in found.tracks} == {
        feed_key("F", "g1"),
        web_key(f"{site.url}/play?id=1"),
        web_key(f"{site.url}/b.ogg"),
    }
    (problem,) = found.problems
    assert "/none" in problem


def test_web_playlist_cannot_name_local_files(site, song, patience):
    path = song("secret.flac")
    entries = f"{path}\nfile://{path}\nC:\\Music\\a.mp3\n"
    found = list_tracks(site.put("/l.m3u", entries, "audio/x-mpegurl"), settings=patience)
    assert all(track.path is None for track in found.tracks)
    assert found.tracks[0].source == f"{site.url}{path}"


def test_opml_lists_the_feeds_that_it_names(site, patience):
    one = site.put_feed("/one.xml", "One", {"title": "A", "url": f"{site.url}/a.ogg", "guid": "g1"})
    site.put_feed("/two.xml", "Two", {"title": "B", "url": f"{site.url}/b.ogg", "guid": "g2"})
    outlines = (
        f'<outline text="folder & more"><outline type="rss" xmlUrl="{one}"/></outline>'
        '<outline xmlurl="two.xml"/><outline xmlUrl="none.xml"/>'
        '<outline type="audio" text="C" url="c.ogg"/><outline xmlUrl="list.opml"/><outline text="nothing"/>'
    )
    body = f'<?xml version="1.0"?><opml version="2.0"><head><title>Mine</title></head><body>{outlines}</body></opml>'
    found = list_tracks(site.put("/list.opml", body, "text/x-opml"), settings=patience)
    assert found.title == "Mine"
    assert [track.key for track in found.tracks] == [
        web_key(f"{site.url}/c.ogg"),
        feed_key("One", "g1"),
        feed_key("Two", "g2"),
    ]
    (problem,) = found.problems
    assert "/none.xml" in problem
    assert site.asked.count("/list.opml") == 1


def test_endless_chain_of_lists_ends_with_a_sentence(site, patience):
    for number in range(20):
        site.put(f"/{number}.opml", f'<opml><body><outline xmlUrl="{number + 1}.opml"/></body></opml>', "text/xml")
    with pytest.raises(SourceError, match=r"nested in more than .* lists.*give it as a source itself"):
        list_tracks(f"{site.url}/0.opml", settings=patience)
    assert len(site.asked) < 10


def test_every_address_of_a_list_is_requested_within_the_given_context(site, patience):
    open_now, opened = set(), []

    @contextmanager
    def requesting(address):
        assert not open_now  # waiting for a second slot while holding one could wait forever
        open_now.add(address)
        opened.append(address)
        yield
        open_now.remove(address)

    feed = site.put_feed("/one.xml", "One", {"title": "A", "url": f"{site.url}/a.ogg"})
    source = site.put("/list.opml", f'<opml><body><outline xmlUrl="{feed}"/></body></opml>', "text/xml")
    list_tracks(source, settings=patience, requesting=requesting)
    assert opened == [source, feed]


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("list.m3u", "#EXTM3U\n#EXTINF:3,Song\nmusic/ein lied.flac\nhttps://a.example/2.mp3\n"),
        ("list.m3u8", "music\\ein lied.flac\r\nhttps://a.example/2.mp3\r\n"),
        ("list.pls", "[playlist]\nFile1=music/ein lied.flac\nFile2=https://a.example/2.mp3\n"),
        ("list.pls", "[playlist]\nFile1=file://{folder}/music/ein%20lied.flac\nFile2=https://a.example/2.mp3\n"),
        (
            "list.xspf",
            XSPF.format(
                "<track><location>music/ein%20lied.flac</location></track>"
                "<track><location>https://a.example/2.mp3</location></track>"
            ),
        ),
        ("list.json", JSON),
        (
            "list.rss",
            "<rss><channel><title>list</title>{}</channel></rss>".format(
                "<item><enclosure url='music/ein lied.flac'/></item><item><link>https://a.example/2.mp3</link></item>"
            ),
        ),
        (
            "list.opml",
            "<opml><body>{}</body></opml>".format(
                '<outline url="music/ein lied.flac"/><outline type="audio" url="https://a.example/2.mp3"/>'
            ),
        ),
    ],
)
def test_local_list_names_local_files_and_addresses(name, content, song, tmp_path):
    (tmp_path / "music").mkdir()
    path = song("music/ein lied.flac")
    (tmp_path / name).write_text(content.replace("{folder}", str(tmp_path)))
    found = listed(tmp_path / name)
    assert [track.path or track.source for track in found.tracks] == [str(path), "https://a.example/2.mp3"]
    assert found.title == "list"
    assert found.problems == ()


def test_missing_file_of_a_local_list_is_a_problem_with_its_place(song, tmp_path):
    song("a.flac")
    (tmp_path / "list.pls").write_text("[playlist]\nFile1=none.flac\nFile2=a.flac\n")
    found = listed(tmp_path / "list.pls")
    assert [track.title for track in found.tracks] == ["a"]
    (problem,) = found.problems
    assert "File1" in problem
    assert "none.flac does not exist" in problem


def test_local_feed_gives_the_keys_of_the_feed_at_its_address(site, tmp_path, patience):
    one = {"title": "One", "url": f"{site.url}/a.ogg", "guid": "g1"}
    url = site.put_feed("/feed.xml", "My Feed", one)
    (tmp_path / "saved.rss").write_bytes(site.answers["/feed.xml"][0].body)
    assert listed(tmp_path / "saved.rss").tracks == list_tracks(url, settings=patience).tracks


@pytest.mark.parametrize(
    ("encoding", "first"),
    [
        ("latin-1", ""),
        ("windows-1252", ""),
        ("utf-8", ""),
        ("utf-8-sig", ""),
        ("utf-16", ""),
        ("KOI8-R", "#EXTENC: KOI8-R\n"),
    ],
)
def test_names_in_a_playlist_are_read_in_its_encoding(encoding, first, song, tmp_path):
    name = "Привет.flac" if encoding == "KOI8-R" else "Für Élise.flac"
    song(name)
    (tmp_path / "list.m3u").write_bytes(f"{first}{name}\n".encode(encoding))
    assert [track.title for track in listed(tmp_path / "list.m3u").tracks] == [name.removesuffix(".flac")]


def test_local_manifest_of_a_stream_is_refused(tmp_path):
    (tmp_path / "stream.m3u8").write_text(HLS)
    with pytest.raises(SourceError, match=r"manifest of an HLS stream.*give the address"):
        listed(tmp_path / "stream.m3u8")
    assert read_list(HLS.encode(), name="stream.m3u8", base="https://a.example/") is None


def test_manifest_of_a_stream_at_an_address_is_one_track(site, patience):
    url = site.put("/stream.m3u8", HLS, "application/vnd.apple.mpegurl")
    (track,) = list_tracks(url, settings=patience).tracks
    assert track.key == web_key(url)


@pytest.mark.parametrize("name", ["page.xml", "data.json"])
def test_file_that_is_no_list_is_reported(name, tmp_path):
    (tmp_path / name).write_text("<html><p></html>" if name.endswith("xml") else '{"a": 1}')
    with pytest.raises(SourceError, match="is not a list that songform reads"):
        listed(tmp_path / name)


def test_podcast_playlist_with_thousands_of_entries_needs_one_request(site, patience):
    entries = "\n".join(f"#EXTINF:{n},Track {n}\nhttps://a.example/{n}.mp3" for n in range(1, 5001))
    found = list_tracks(site.put("/l.m3u", f"#EXTM3U\n{entries}\n", "audio/x-mpegurl"), settings=patience)
    assert len(found.tracks) == found.announced == 5000
    assert site.asked == ["/l.m3u"]

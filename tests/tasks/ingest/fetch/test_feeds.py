"""Feeds with invalid items and with invalid XML."""

from __future__ import annotations

import pytest

from songform.errors import SourceError, TrackError
from tasks.ingest.failures.classify import track_label
from tasks.ingest.fetch.download import download_track
from tasks.ingest.fetch.generic_extractor import MAX_FEED_TAGS, MAX_PAGE_CHARACTERS
from tasks.ingest.sources.resolve_source import list_tracks
from tasks.settings import AudioSettings, DownloadSettings
from tasks.store.tracks import feed_key

pytestmark = pytest.mark.filterwarnings("ignore:unclosed:ResourceWarning")

PATIENT = DownloadSettings(timeout_seconds=1.0, allow_private=True)
HEAD = '<?xml version="1.0"?>\n<!-- made by hand -->\n<rss version="2.0"><channel><title>Feed</title>\n'


@pytest.fixture
def good(site, ogg):
    """Return the address of a song that the server provides."""
    return site.put("/a.ogg", ogg)


@pytest.fixture
def listed(site, good, patience):
    """Return a function that lists a feed with a valid item, and an invalid one with and without a GUID."""

    def listed(address):
        items = [{"title": "Bad", "url": address, "guid": "g2"}, {"title": "Good", "url": good, "guid": "g1"}]
        items.append({"title": "Worse", "url": address})
        return list_tracks(site.put_feed("/feed.xml", "Feed", *items), settings=patience)

    return listed


@pytest.fixture
def fetch(tmp_path, ffmpeg, patience):
    """Return a function that downloads a track into the test's folder."""

    def fetch(track):
        return download_track(track, tmp_path / "room", audio=AudioSettings(), download=patience, ffmpeg=ffmpeg)

    return fetch


@pytest.mark.parametrize(
    ("address", "reason"),
    [
        ("http://[::1", r"its address is not valid \(Invalid IPv6 URL\); check the address"),
        ("http://a@b@[::1/", r"its address is not valid \(Invalid IPv6 URL\); check the address"),
        ("http://\u2100.example/", r"its address is not valid \(.* invalid characters under NFKC .*\); check .*"),
        ("http://a..example/", r"its address is not valid \(.*'idna'.*\); check the address"),
        (f"http://{'a' * 300}.example/", r"its address is not valid \(.*'idna'.*\); check the address"),
        ("http://a.example:port/", r".*cannot request it \(.*'a.example:port'.*\); check the address"),
        ("http://", r".*cannot request it \(.*No host.*\); check the address"),
        ("file:///etc/passwd", r"its address begins with file:, .* only http and https .*; check the address"),
        ("data:audio/ogg;base64,AAAA", r"its address begins with data:, .* only http .*; check the address"),
        ("ytsearch:song", r"its address begins with ytsearch:, .* only http .*; check the address"),
    ],
)
def test_feed_item_with_an_invalid_address_does_not_affect_the_others(address, reason, listed, fetch, good):
    listing = listed(address)
    assert [track.title for track in listing.tracks] == ["Bad", "Good", "Worse"]
    assert listing.tracks[0].key == feed_key("Feed", "g2")
    for track in (listing.tracks[0], listing.tracks[2]):
        with pytest.raises(TrackError, match=rf"cannot be downloaded: {reason}$") as caught:
            fetch(track)
        assert caught.value.failure == "permanent"
        assert str(caught.value).startswith(track_label(track))
    assert listing.tracks[1].source == good
    assert fetch(listing.tracks[1]).path.is_file()


@pytest.mark.parametrize(
    ("page", "item"),
    [
        ("<html><title>P</title>{}</html>", '<audio src="{}"></audio>'),
        (
            '<?xml version="1.0"?><playlist xmlns="http://xspf.org/ns/0/"><trackList>{}</trackList></playlist>',
            "<track><title>Song</title><location>{}</location></track>",
        ),
    ],
)
def test_invalid_address_on_a_page_does_not_affect_the_others(page, item, site, good, fetch):
    body = page.format("".join(item.format(address) for address in ("http://[::1", good, "http://[::1]:9/a.ogg")))
    tracks = list_tracks(site.put("/page", body, "text/html"), settings=PATIENT).tracks
    assert [track.source.replace("%5B", "[") for track in tracks] == ["http://[::1", good, "http://[::1]:9/a.ogg"]
    with pytest.raises(
        TrackError, match=r"(cannot request it|its address is not valid) .*; check the address"
    ) as caught:
        fetch(tracks[0])
    assert caught.value.failure == "permanent"
    assert fetch(tracks[1]).path.is_file()


@pytest.mark.parametrize("note", ["%7B", "1", '{"force_videoid": "g1"}', "&#x2028;", ""])
def test_smuggled_data_in_a_feed_is_removed(note, listed, site, good, fetch):
    """Invalid smuggled data would make the feed fail, and valid data would give the item the key of another."""
    address = site.put("/b.ogg", site.answers["/a.ogg"][0].body)
    listing = listed(f"{address}#__youtubedl_smuggle={note.replace(chr(34), '%22')}")
    assert [track.source for track in listing.tracks] == [address, good, address]
    assert listing.tracks[0].key == feed_key("Feed", "g2")
    assert fetch(listing.tracks[0]).path.is_file()


@pytest.mark.parametrize(
    ("item", "failure", "words"),
    [
        ("<item><title>One</item></channel></rss>", "permanent", "is invalid, at line 4, column 19: mismatched tag"),
        ("<item><a b=1/></item></channel></rss>", "permanent", "is invalid, at line 4, column 12: not well-formed"),
        ("<item><title>One</title>", "transient", "ends too early, at line 4, column 25: no element found"),
        ("<item><title><![CDATA[One", "transient", "ends too early, at line 4, column 26: unclosed CDATA section"),
        ("<item><tit", "transient", "ends too early, at line 4, column 7: unclosed token"),
    ],
)
def test_invalid_xml_of_a_feed_is_reported_with_its_position(item, failure, words, site, patience):
    url = site.put("/feed.xml", HEAD + item, "application/rss+xml")
    with pytest.raises(SourceError) as caught:
        list_tracks(url, settings=patience)
    assert f"{url} is a feed whose XML {words}" in str(caught.value)
    assert caught.value.failure == failure
    assert ("try again later" in str(caught.value)) == (failure == "transient")
    assert ("its publisher" in str(caught.value)) == (failure == "permanent")


def test_page_that_is_not_a_feed_is_not_reported_as_a_broken_feed(site, patience):
    for number, body in enumerate(("<html><p>rss</html>", '<?xml version="1.0"?><html><br></html>', "<!-- <rss -->")):
        url = site.put(f"/{number}", body, "text/html")
        with pytest.raises(SourceError, match="yt-dlp finds no audio on this page") as caught:
            list_tracks(url, settings=patience)
        assert caught.value.failure == "permanent"


def test_endless_prologue_is_scanned_in_linear_time(site, patience):
    """A regular expression that backtracks would take almost forever."""
    url = site.put("/feed.xml", "<?a?>" * 200_000 + "<!-- ?>" * 1000, "application/rss+xml")
    with pytest.raises(SourceError, match="yt-dlp finds no audio on this page"):
        list_tracks(url, settings=patience)


@pytest.mark.parametrize(
    ("body", "words"),
    [
        ("<rss>" + "<a>" * MAX_FEED_TAGS, "is too large .*; check the address in a browser"),
        ("<html>" + " " * MAX_PAGE_CHARACTERS, "is too large .*; check the address in a browser"),
        (
            HEAD + " " * MAX_PAGE_CHARACTERS + "</channel></rss>",
            "contains no tracks; check that it is the right source",
        ),
    ],
)
def test_page_or_feed_that_is_too_large_to_parse_is_refused(body, words, site, patience):
    url = site.put("/feed.xml", body, "text/xml")
    with pytest.raises(SourceError, match=f"^{url} {words}"):
        list_tracks(url, settings=patience)

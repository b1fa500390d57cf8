"""Feeds as they are: with items that are wrong, and with XML that is broken."""

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
    """Serve a song, and return its address."""
    return site.put("/a.ogg", ogg)


@pytest.fixture
def listed(site, good, patience):
    """List a feed of a good item, and of a bad one with a guid and without."""

    def listed(address):
        items = [{"title": "Bad", "url": address, "guid": "g2"}, {"title": "Good", "url": good, "guid": "g1"}]
        items.append({"title": "Worse", "url": address})
        return list_tracks(site.put_feed("/feed.xml", "Feed", *items), settings=patience)

    return listed


@pytest.fixture
def fetch(tmp_path, ffmpeg, patience):
    """Fetch a track into the test's folder."""

    def fetch(track):
        return download_track(track, tmp_path / "room", audio=AudioSettings(), download=patience, ffmpeg=ffmpeg)

    return fetch


@pytest.mark.parametrize(
    ("address", "reason"),
    [
        ("http://[::1", r"it is no address \(Invalid IPv6 URL\); check the address"),
        ("http://a@b@[::1/", r"it is no address \(Invalid IPv6 URL\); check the address"),
        ("http://\u2100.example/", r"it is no address \(.* invalid characters under NFKC .*\); check the address"),
        ("http://a..example/", r"it is no address \(.*'idna'.*\); check the address"),
        (f"http://{'a' * 300}.example/", r"it is no address \(.*'idna'.*\); check the address"),
        ("http://a.example:port/", r"it cannot be asked for \(.*'a.example:port'.*\); check the address"),
        ("http://", r"it cannot be asked for \(.*No host.*\); check the address"),
        ("nonsense", r"it is no address; check the address"),
        (
            "file:///etc/passwd",
            r"its address begins with file:, and only http and https are fetched; check the address",
        ),
        ("data:audio/ogg;base64,AAAA", r"its address begins with data:, and only http .*; check the address"),
        ("ytsearch:song", r"its address begins with ytsearch:, and only http .*; check the address"),
    ],
)
def test_an_item_whose_address_is_none_costs_itself_alone(address, reason, listed, fetch, good):
    listing = listed(address)
    assert [track.title for track in listing.tracks] == ["Bad", "Good", "Worse"]
    assert listing.tracks[0].key == feed_key("Feed", "g2")
    for track in (listing.tracks[0], listing.tracks[2]):
        with pytest.raises(TrackError, match=rf"cannot be fetched: {reason}$") as caught:
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
def test_an_address_on_a_page_that_is_none_costs_itself_alone(page, item, site, good, fetch):
    body = page.format("".join(item.format(address) for address in ("http://[::1", good, "http://[::1]:9/a.ogg")))
    tracks = list_tracks(site.put("/page", body, "text/html"), settings=PATIENT).tracks
    assert [track.source for track in tracks] == ["http://%5B::1", good, "http://[::1]:9/a.ogg"]
    with pytest.raises(TrackError, match="it cannot be asked for") as caught:
        fetch(tracks[0])
    assert caught.value.failure == "permanent"
    assert fetch(tracks[1]).path.is_file()


@pytest.mark.parametrize("note", ["%7B", "1", '{"force_videoid": "g1"}', "&#x2028;", ""])
def test_an_item_that_speaks_to_yt_dlp_in_its_own_notes_is_not_heard(note, listed, site, good, fetch):
    """A note that cannot be read would end the feed; one that can would give the item the key of another."""
    address = site.put("/b.ogg", site.answers["/a.ogg"][0].body)
    listing = listed(f"{address}#__youtubedl_smuggle={note.replace(chr(34), '%22')}")
    assert [track.source for track in listing.tracks] == [address, good, address]
    assert listing.tracks[0].key == feed_key("Feed", "g2")
    assert fetch(listing.tracks[0]).path.is_file()


@pytest.mark.parametrize(
    ("item", "failure", "words"),
    [
        (
            "<item><title>Salt & Pepper</title></item></channel></rss>",
            "permanent",
            "is broken at line 4, column 20: not",
        ),
        ("<item><title>One</item></channel></rss>", "permanent", "is broken at line 4, column 19: mismatched tag"),
        ("<item>&nbsp;</item></channel></rss>", "permanent", "is broken at line 4, column 7: undefined entity"),
        ("<item><title>One</title>", "transient", "ends too early, at line 4, column 25: no element found"),
        ("<item><title><![CDATA[One", "transient", "ends too early, at line 4, column 26: unclosed CDATA section"),
        ("<item><tit", "transient", "ends too early, at line 4, column 7: unclosed token"),
    ],
)
def test_a_feed_whose_xml_is_broken_is_told_so_with_the_line(item, failure, words, site, patience):
    url = site.put("/feed.xml", HEAD + item, "application/rss+xml")
    with pytest.raises(SourceError) as caught:
        list_tracks(url, settings=patience)
    assert f"{url} is a feed whose XML {words}" in str(caught.value)
    assert caught.value.failure == failure
    assert ("try again later" in str(caught.value)) == (failure == "transient")
    assert ("tell its publisher" in str(caught.value)) == (failure == "permanent")


def test_a_page_that_is_no_feed_is_not_taken_for_a_broken_one(site, patience):
    for number, body in enumerate(("<html><p>rss</html>", '<?xml version="1.0"?><html><br></html>', "<!-- <rss -->")):
        url = site.put(f"/{number}", body, "text/html")
        with pytest.raises(SourceError, match="yt-dlp finds no audio on this page") as caught:
            list_tracks(url, settings=patience)
        assert caught.value.failure == "permanent"


def test_a_page_that_begins_without_end_is_looked_through_once(site, patience):
    """A pattern that goes back to try again would never be done."""
    url = site.put("/feed.xml", "<?a?>" * 200_000 + "<!-- ?>" * 1000, "application/rss+xml")
    with pytest.raises(SourceError, match="yt-dlp finds no audio on this page"):
        list_tracks(url, settings=patience)


@pytest.mark.parametrize(
    ("body", "words"),
    [
        ("<rss>" + "<a>" * MAX_FEED_TAGS, "is too large for a page; check the address in a browser"),
        ("<html>" + " " * MAX_PAGE_CHARACTERS, "is too large for a page; check the address in a browser"),
        (HEAD + " " * MAX_PAGE_CHARACTERS + "</channel></rss>", "holds no tracks; check that it is what you meant"),
    ],
)
def test_what_costs_more_to_take_apart_than_any_feed_or_page_is_refused(body, words, site, patience):
    url = site.put("/feed.xml", body, "text/xml")
    with pytest.raises(SourceError, match=f"^{url} {words}"):
        list_tracks(url, settings=patience)

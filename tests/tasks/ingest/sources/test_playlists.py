"""Listing of addresses with real yt-dlp, from a server on the loopback interface and from simulated sites."""

from __future__ import annotations

import json
import math
from datetime import UTC, datetime

import pytest
from yt_dlp.extractor.common import InfoExtractor
from yt_dlp.utils import ExtractorError

from songform.errors import SourceError
from tasks.ingest.failures.classify import track_error, track_label
from tasks.ingest.sources.resolve_source import list_tracks
from tasks.ingest.track_outcomes import record_failure, record_skipped
from tasks.store.corpus import Corpus
from tasks.store.tracks import Track, feed_key, site_key, web_key


def page(*names: str) -> str:
    return "<html><title>Page</title>" + "".join(f'<audio src="{name}"></audio>' for name in names) + "</html>"


class RadioIE(InfoExtractor):
    """Extractor of a track whose ID determines its behavior."""

    _VALID_URL = r"https?://radio\.example/track/(?P<id>.+)"
    _RETURN_TYPE = "video"

    def _real_extract(self, url):
        name = self._match_id(url)
        if name == "gone":
            raise ExtractorError("Video unavailable. It was removed by the uploader", expected=True)
        if name == "private":
            self.raise_login_required("This track is private", metadata_available=True)
        formats = [] if name == "private" else [{"url": f"https://cdn.example/{name}.ogg?signature=secret"}]
        headers = {"Cookie": "secret"}
        return {"id": name, "title": f"Song {name}", "duration": 61, "formats": formats, "http_headers": headers}


class RadioListIE(InfoExtractor):
    """Extractor of a list of 5,000 tracks on 50 pages that are generated on request."""

    _VALID_URL = r"https?://radio\.example/list"
    _RETURN_TYPE = "playlist"
    pages: list[int] = []  # noqa: RUF012  emptied by each test that counts

    def _real_extract(self, url):
        def entries():
            for number in range(50):
                self.pages.append(number)
                for index in range(100):
                    name = str(100 * number + index)
                    yield self.url_result(f"https://radio.example/track/{name}", RadioIE, name, f"Song {name}")

        return self.playlist_result(entries(), "list", "All songs")


class RadioAlbumIE(InfoExtractor):
    """Extractor of an album whose tracks have IDs but no addresses, and of a list of albums with a missing one."""

    _VALID_URL = r"https?://radio\.example/(?P<id>album|shelf|broken|empty|odd)"
    _RETURN_TYPE = "playlist"

    def _real_extract(self, url):
        name = self._match_id(url)
        if name == "broken":
            raise ExtractorError("This album does not exist", expected=True)
        tracks = [
            {"id": f"a{n}", "title": f"Part {n}", "formats": [{"url": f"https://cdn.example/{n}.ogg"}]} for n in "12"
        ]
        albums = [self.url_result(f"https://radio.example/{part}", RadioAlbumIE) for part in ("broken", "album")]
        odd = [
            {
                **self.url_result("https://radio.example/track/9", RadioIE, "9"),
                "title": "a\x1b[31m\n\u202eb" + "c" * 300,
            }
        ]
        odd[0].update(duration=-5, uploader="\ud800", score=math.inf)
        entries = {"album": tracks, "shelf": albums, "empty": [], "odd": odd}[name]
        return self.playlist_result(entries, name, name.title())


class RadioCutIE(InfoExtractor):
    """Extractor of a list that announces more tracks than it contains."""

    _VALID_URL = r"https?://radio\.example/cut"
    _RETURN_TYPE = "playlist"
    announced, listed, name = 0, 0, None  # set by the test

    def _real_extract(self, url):
        names = [self.name or str(number) for number in range(self.listed)]
        entries = [self.url_result(f"https://radio.example/track/{name}", RadioIE, name, name) for name in names]
        return self.playlist_result(entries, "cut", "Cut", playlist_count=self.announced)


@pytest.fixture(autouse=True)
def _whole():
    yield
    RadioCutIE.name = None


@pytest.fixture
def radio(play):
    RadioListIE.pages.clear()
    play(RadioIE, RadioListIE, RadioAlbumIE)


def test_whitespace_around_an_address_is_removed(site, patience):
    one = {"title": "One", "url": f" {site.url}/a.ogg ", "guid": "g1"}
    (track,) = list_tracks(site.put_feed("/feed.xml", "My Feed", one), settings=patience).tracks
    assert track.source == f"{site.url}/a.ogg"
    assert track.entry["url"].startswith(f"{site.url}/a.ogg#__youtubedl_smuggle")


def test_feed_items_have_titles_durations_and_keys_from_guids(site, patience):
    one = {"title": "One", "url": site.url + "/a.ogg", "guid": "g1", "duration": "0:03"}
    two = {"title": "Two", "url": site.url + "/b.ogg"}
    listing = list_tracks(site.put_feed("/feed.xml", "My Feed", one, two), settings=patience)
    assert (listing.title, listing.announced) == ("My Feed", 2)
    assert [(track.title, track.duration) for track in listing.tracks] == [("One", 3.0), ("Two", None)]
    assert [track.key for track in listing.tracks] == [feed_key("My Feed", "g1"), web_key(site.url + "/b.ogg")]
    assert listing.tracks[0].source == site.url + "/a.ogg"
    assert site.asked == ["/feed.xml"]


def test_feed_item_keeps_its_key_when_the_feed_moves(new_site, patience):
    keys = set()
    for site in (new_site(), new_site()):
        item = {"title": "One", "url": site.url + "/a.ogg", "guid": "g1"}
        keys.add(list_tracks(site.put_feed("/feed.xml", "My Feed", item), settings=patience).tracks[0].key)
    assert len(keys) == 1


def test_address_of_a_file_is_one_track_named_after_the_file(site, ogg, patience):
    url = site.put("/songs/Blue%20in%20Green.ogg", ogg)
    (track,) = list_tracks(url + "#t=10", settings=patience).tracks
    assert (track.title, track.key) == ("Blue in Green", web_key(url))
    assert len(site.asked) == 1


def test_key_of_a_redirected_address_is_that_of_the_given_address(site, ogg, patience):
    target = site.put("/new.ogg", ogg)
    url = site.put("/old.ogg", status=302, headers={"Location": target})
    (track,) = list_tracks(url, settings=patience).tracks
    assert (track.key, track.source) == (web_key(url), url)


def test_page_with_two_files_lists_both_by_their_addresses(site, patience):
    listing = list_tracks(site.put("/page.html", page("/a.ogg", "/b.ogg"), "text/html"), settings=patience)
    assert [track.key for track in listing.tracks] == [web_key(site.url + "/a.ogg"), web_key(site.url + "/b.ogg")]
    assert [track.title for track in listing.tracks] == ["Page (1)", "Page (2)"]


def test_duplicate_items_are_listed_once(site, patience):
    item = {"title": "One", "url": site.url + "/a.ogg", "guid": "g1"}
    listing = list_tracks(site.put_feed("/feed.xml", "F", item, item), settings=patience)
    assert len(listing.tracks) == 1


def test_list_may_contain_addresses_and_files(site, ogg, song, tmp_path, patience):
    song("a.flac")
    (tmp_path / "names.txt").write_text(f"{site.put('/b.ogg', ogg)}\na.flac\n{site.url}/none.ogg\n")
    listing = list_tracks(str(tmp_path / "names.txt"), settings=patience)
    assert [track.title for track in listing.tracks] == ["b", "a"]
    assert "line 3: " + site.url in listing.problems[0]


@pytest.mark.parametrize(
    ("answer", "words", "failure"),
    [
        ({"status": 404}, r"404 Not Found \(it was removed, .* mistyped\); check", "permanent"),
        ({"status": 503}, r"503 Service Unavailable \(.*server\); try again later", "transient"),
        ({"status": 429, "headers": {"Retry-After": "120"}}, "a pause of 120 s; songform pauses", "throttled"),
        ({"body": "<html>hello</html>", "content_type": "text/html"}, "finds no audio on this page; give", "permanent"),
        ({"status": 302, "headers": {"Location": "file:///etc/passwd"}}, "cannot request it", "permanent"),
    ],
)
def test_listing_errors_have_a_reason_and_a_class(answer, words, failure, site, patience):
    url = site.put("/x", **answer)
    with pytest.raises(SourceError, match=words) as caught:
        list_tracks(url, settings=patience)
    assert str(caught.value).startswith(url)
    assert caught.value.failure == caught.value.__cause__.failure == failure


def test_feed_without_items_is_an_error(site, patience):
    with pytest.raises(SourceError, match="contains no tracks"):
        list_tracks(site.put_feed("/feed.xml", "Silence"), settings=patience)


def test_five_thousand_tracks_are_listed_page_by_page(radio, patience):
    listing = list_tracks("https://radio.example/list", settings=patience)
    assert (len(listing.tracks), listing.announced, listing.title) == (5000, 5000, "All songs")
    assert listing.tracks[4999].key == site_key("Radio", "4999")
    assert RadioListIE.pages == list(range(50))


@pytest.mark.parametrize(
    ("announced", "listed", "problem"),
    [(250, 100, True), (3, 2, True), (110, 100, False), (5000, 4999, False)],
)
def test_incomplete_list_is_a_problem_but_a_few_hidden_tracks_are_only_a_note(
    announced, listed, problem, play, patience
):
    RadioCutIE.announced, RadioCutIE.listed = announced, listed
    play(RadioIE, RadioCutIE)
    listing = list_tracks("https://radio.example/cut", settings=patience)
    assert (len(listing.tracks), listing.announced) == (listed, announced)
    (said,) = listing.problems if problem else listing.notes
    assert f"https://radio.example/cut: the site reports {announced} tracks, but " in said
    assert (f"only {listed} were listed" in said) == problem
    assert ("ingesting again later" in said) == problem
    assert (listing.problems == ()) != problem


def test_limit_and_duplicates_do_not_make_a_list_incomplete(play, patience):
    RadioCutIE.announced, RadioCutIE.listed = 250, 100
    play(RadioIE, RadioCutIE)
    listing = list_tracks("https://radio.example/cut", limit=100, settings=patience)
    assert (listing.problems, listing.notes) == ((), ())
    assert "only 100 were listed" in list_tracks("https://radio.example/cut", limit=200, settings=patience).problems[0]
    RadioCutIE.announced = RadioCutIE.listed = 3
    RadioCutIE.name = "same"
    listing = list_tracks("https://radio.example/cut", settings=patience)
    assert (len(listing.tracks), listing.problems, listing.notes) == (1, (), ())


def test_notes_on_a_playlist_are_passed_to_the_list_that_contains_it(play, patience, tmp_path):
    RadioCutIE.announced, RadioCutIE.listed = 11, 10
    play(RadioIE, RadioCutIE)
    (tmp_path / "names.txt").write_text("https://radio.example/cut\n")
    assert "probably private" in list_tracks(str(tmp_path / "names.txt"), settings=patience).notes[0]


def test_pages_beyond_the_limit_are_not_read(radio, patience):
    listing = list_tracks("https://radio.example/list", limit=150, settings=patience)
    assert [track.title for track in listing.tracks] == [f"Song {number}" for number in range(150)]
    assert len(RadioListIE.pages) <= 2


def test_track_has_the_same_key_alone_and_in_a_list(radio, patience):
    (alone,) = list_tracks("https://radio.example/track/0", settings=patience).tracks
    (listed,) = list_tracks("https://radio.example/list", limit=1, settings=patience).tracks
    assert alone.key == listed.key == "radio-0"
    assert (alone.title, alone.duration) == ("Song 0", 61.0)


def test_stored_entry_contains_no_expiring_or_secret_values(radio, patience):
    (track,) = list_tracks("https://radio.example/track/0", settings=patience).tracks
    kept = json.dumps(track.entry)
    assert "secret" not in kept
    assert track.entry["url"] == "https://radio.example/track/0"


def test_private_track_is_listed(radio, patience):
    (track,) = list_tracks("https://radio.example/track/private", settings=patience).tracks
    assert track.title == "Song private"


def test_list_of_albums_lists_their_tracks_and_reports_the_missing_album(radio, patience):
    listing = list_tracks("https://radio.example/shelf", settings=patience)
    assert [track.title for track in listing.tracks] == ["Part 1", "Part 2"]
    assert [track.key for track in listing.tracks] == ["radioalbum-a1", "radioalbum-a2"]
    (problem,) = listing.problems
    assert problem.startswith("https://radio.example/broken cannot be listed: the site says ")


def test_untrusted_text_and_numbers_fit_into_a_record(radio, patience):
    (track,) = list_tracks("https://radio.example/odd", settings=patience).tracks
    assert track.title.startswith("a bcc")
    assert len(track.title) == 200
    assert track.duration is None
    again = Track.model_validate_json(json.dumps(track.model_dump(), allow_nan=False))
    assert again == track
    track.model_dump_json().encode()


def test_xspf_playlist_lists_its_tracks_by_their_addresses(site, patience, ogg, flac):
    """yt-dlp gives all items of an XSPF playlist the ID and the manifest of the list."""
    one, two = site.put("/a.ogg", ogg), site.put("/b.flac", flac, "audio/flac")
    items = f"<track><title>A</title><duration>3000</duration><location>{one}</location></track>"
    items += f"<track><title>B</title><location>{two}</location></track>"
    body = f'<?xml version="1.0"?><playlist xmlns="http://xspf.org/ns/0/"><trackList>{items}</trackList></playlist>'
    found = list_tracks(site.put("/list.xspf", body, "application/xspf+xml"), settings=patience).tracks
    assert [(track.key, track.title, track.duration) for track in found] == [
        (web_key(one), "A", 3.0),
        (web_key(two), "B", None),
    ]


def test_show_notes_are_not_stored(site, patience):
    notes = f"</title><description>{'x' * 100_000}</description><title>"
    one = {"title": f"One{notes}", "url": site.url + "/a.ogg", "guid": "g1"}
    (track,) = list_tracks(site.put_feed("/feed.xml", "My Feed", one), settings=patience).tracks
    assert track.title == "One"
    assert len(track.model_dump_json()) < 1000


def test_malicious_title_is_sanitized_in_records_failures_and_summaries(radio, patience, tmp_path):
    (track,) = list_tracks("https://radio.example/odd", settings=patience).tracks
    error = track_error(ExtractorError("\x1b[2Jgone\u202e\n", expected=True), track)
    corpus = Corpus(tmp_path)
    record_failure(corpus, track, error)
    summary = corpus.record(track.key).summary()
    assert summary["title"] == track.title
    for said in (summary["title"], summary["source"], summary["error"]["message"]):
        assert said.isprintable()
        assert "\u202e" not in said
    skipped = record_skipped(
        Corpus(tmp_path / "b"), track, until=datetime.now(UTC), reason=f"{track_label(track)} waits"
    )
    assert skipped.error.message.isprintable()

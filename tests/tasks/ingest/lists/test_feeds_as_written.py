"""Feeds that are not well-formed, in unusual encodings, or with several files per item."""

from __future__ import annotations

import json
from contextlib import suppress
from xml.sax.saxutils import escape

import pytest
from hypothesis import given
from hypothesis import strategies as st

from songform.errors import TrackError
from tasks.ingest.lists.recognize import may_be_list, read_list

BASE = "https://pod.example/show/feed.xml"
NAMESPACES = (
    'xmlns:itunes="http://www.itunes.com/dtds/podcast-1.0.dtd" xmlns:media="http://search.yahoo.com/mrss/" '
    'xmlns:atom="http://www.w3.org/2005/Atom"'
)


def rss(*items: str, title: str = "Show", head: str = '<?xml version="1.0"?>') -> str:
    return f'{head}<rss version="2.0" {NAMESPACES}><channel><title>{title}</title>{"".join(items)}</channel></rss>'


def item(title: str = "One", address: str = "https://a.example/1.mp3", more: str = "") -> str:
    return f'<item><title>{title}</title><enclosure url="{address}" type="audio/mpeg"/>{more}</item>'


def read(document: str | bytes, content_type: str = "application/rss+xml"):
    content = document.encode() if isinstance(document, str) else document
    assert may_be_list(content[:2048], name=BASE, content_type=content_type)
    return read_list(content, name=BASE, base=BASE, content_type=content_type)


def titles(document: str | bytes, **options: str) -> list[str | None]:
    return [each.title for each in read(document, **options).items]


def addresses(document: str | bytes, **options: str) -> list[str]:
    return [each.address for each in read(document, **options).items]


@pytest.mark.parametrize(
    ("written", "title"),
    [
        ("Rock & Roll", "Rock & Roll"),
        ("R&B", "R&B"),
        ("Tom &amp; Jerry & Co", "Tom & Jerry & Co"),
        ("a&nbsp;b &eacute; &hellip;", "a\xa0b é …"),
        ("&unknown; & &#8217; &#x2019;", "&unknown; & ’ ’"),
        ("1 < 2", "1 < 2"),
        ("bell \x07 and \x0b", "bell  and "),
        ("null &#0; and &", "null \ufffd and &"),
        ("<![CDATA[R&B <b>live</b>]]> & more", "R&B <b>live</b> & more"),
        ("&lol9;", "&lol9;"),
    ],
)
def test_title_with_characters_that_xml_forbids_is_read_as_browsers_do(written, title):
    assert titles(rss(item(written), item("Two"))) == [title, "Two"]


@pytest.mark.parametrize(
    "before", ["\n\n  ", "\ufeff", "\ufeff \n", "Warning: something in line 3\n", "\t<!-- a -->\n"]
)
def test_text_before_the_xml_declaration_is_ignored(before):
    document = before + rss(item("Größe & more"))
    assert titles(document) == ["Größe & more"]
    assert titles(before + rss(item())) == ["One"]


@pytest.mark.parametrize(
    "encoding", ["ISO-8859-1", "windows-1252", "windows-1251", "KOI8-R", "Shift_JIS", "UTF-16", "GB2312"]
)
def test_declared_encoding_is_used(encoding):
    title = {"windows-1251": "Привет", "KOI8-R": "Привет", "Shift_JIS": "日本語", "GB2312": "中文"}.get(
        encoding, "Grüße"
    )
    head = f'<?xml version="1.0" encoding="{encoding}"?>'
    assert titles(rss(item(title), head=head).encode(encoding)) == [title]
    assert titles(rss(item(f"{title} & co"), head=head).encode(encoding)) == [f"{title} & co"]


@pytest.mark.parametrize(
    ("charset", "declared", "actual", "title"),
    [
        ("; charset=ISO-8859-1", "UTF-8", "UTF-8", "Grüße"),  # the server is wrong
        ("; charset=utf-8", "ISO-8859-1", "ISO-8859-1", "Grüße"),
        ("; charset=utf-8", "UTF-8", "windows-1252", "Grüße – “x”"),  # both are wrong
        ("; charset=windows-1251", None, "windows-1251", "Привет"),
        ("; charset=nonsense", None, "UTF-8", "Grüße"),
        ("; charset=zlib", "base64", "UTF-8", "Grüße"),  # codecs of Python that are not encodings of text
        ("", "ISO-8859-1", "windows-1252", "“x” – €"),  # browsers read ISO-8859-1 as windows-1252
    ],
)
def test_wrong_declaration_does_not_spoil_the_titles(charset, declared, actual, title):
    head = f'<?xml version="1.0" encoding="{declared}"?>' if declared else '<?xml version="1.0"?>'
    content = rss(item(title), head=head).encode(actual)
    assert titles(content, content_type=f"text/xml{charset}") == [title]


def test_impossible_dates_and_durations_are_ignored():
    more = "<pubDate>Fri, 99 Foo 0000 99:99:99 +9999</pubDate><itunes:duration>five min</itunes:duration>"
    (only,) = read(rss(item(more=more))).items
    assert (only.title, only.duration) == ("One", None)


@pytest.mark.parametrize(
    ("broken", "title"),
    [
        ("<item><title>Broken</item>", "Broken"),
        ("<item><title>Broken</title><enclosure url=x.mp3/></item>", "Broken"),
        ("<item><title>Broken <b>bold</title></item>", "Broken"),
        ('<item><title>Broken</title><a b="1" b="2"/></item>', "Broken"),
        ("<item><title><![CDATA[Broken</title></item>", ""),
    ],
)
def test_item_with_broken_xml_is_left_out_alone(broken, title):
    found = read(rss(item("A & B"), broken, item("C", "https://a.example/3.mp3")))
    assert [each.title for each in found.items] == ["A & B", "C"]
    assert found.title == "Show"
    (problem,) = found.problems
    assert "item 2" in problem
    assert title in problem
    assert "publisher" in problem


def test_many_broken_items_are_counted():
    found = read(rss(item(), *["<item><title>Broken</item>"] * 30))
    assert len(found.items) == 1
    assert len(found.problems) == 21
    assert "10 more items" in found.problems[-1]


def test_item_that_is_not_closed_ends_where_the_next_one_begins():
    unclosed = item("A & B", "https://a.example/0.mp3").removesuffix("</item>")
    found = read(rss(unclosed, item("C", "https://a.example/3.mp3")))
    assert [(each.title, each.address) for each in found.items] == [
        ("A & B", "https://a.example/0.mp3"),
        ("C", "https://a.example/3.mp3"),
    ]
    assert found.problems == ()


def test_prefix_without_a_namespace_does_not_break_the_feed():
    document = '<rss version="2.0"><channel><title>T</title>' + item(more="<itunes:duration>61</itunes:duration>")
    (only,) = read(document + "<podcast:x/></channel></rss>").items
    assert (only.title, only.duration) == ("One", 61.0)


@pytest.mark.parametrize("cut", [60, 100, 130])
def test_feed_that_ends_too_early_is_a_temporary_failure(cut):
    with pytest.raises(TrackError, match=r"ends too early.*try again later") as caught:
        read(rss(item("A & B"), item("C"))[:-cut])
    assert caught.value.failure == "transient"


@pytest.mark.parametrize(
    "files",
    [
        '<enclosure url="https://a.example/c.jpg" type="image/jpeg"/><enclosure url="{}" type="audio/mpeg"/>',
        '<enclosure url="https://a.example/v.mp4" type="video/mp4"/><enclosure url="{}" type="audio/mpeg"/>',
        '<enclosure url="https://a.example/notes.pdf"/><enclosure url="{}"/>',
        '<enclosure url="{}" type="audio/mpeg"/><enclosure url="https://a.example/2.ogg" type="audio/ogg"/>',
        '<enclosure url="" type="audio/mpeg"/><media:content url="{}" type="audio/mpeg"/>',
        '<media:group><media:content url="v.mp4"/><media:content url="{}" medium="audio"/></media:group>',
        "<link>{}</link>",
        '<enclosure url="https://a.example/c.png" type="image/png"/><link>{}</link>',
        '<guid isPermaLink="true">{}</guid><link>https://a.example/page</link>',
        '<atom:link rel="enclosure" href="{}" type="audio/mpeg"/>',
    ],
)
def test_audio_file_of_an_item_is_chosen(files):
    audio = "https://a.example/1.mp3"
    assert addresses(rss(f"<item><title>One</title>{files.format(audio)}</item>")) == [audio]


def test_only_enclosure_is_used_whatever_its_type():
    """Its download reports what it is; leaving the item out would hide it."""
    document = rss('<item><enclosure url="https://a.example/c.jpg" type="image/jpeg"/></item>')
    assert addresses(document) == ["https://a.example/c.jpg"]


@pytest.mark.parametrize(
    ("written", "address"),
    [
        ("/m/1.mp3", "https://pod.example/m/1.mp3"),
        ("1.mp3", "https://pod.example/show/1.mp3"),
        ("../1.mp3?a=1", "https://pod.example/1.mp3?a=1"),
        ("//cdn.example/1.mp3", "https://cdn.example/1.mp3"),
        ("  https://a.example/1.mp3\n", "https://a.example/1.mp3"),
        ("http://[::1", "http://[::1"),
        ("file:///etc/passwd", "file:///etc/passwd"),
    ],
)
def test_relative_address_refers_to_the_feed(written, address):
    assert addresses(rss(item(address=written))) == [address]


def test_base_of_the_xml_document_is_used():
    document = '<feed xmlns="http://www.w3.org/2005/Atom" xml:base="https://cdn.example/a/"><title>T</title><entry>'
    assert addresses(f'{document}<link rel="enclosure" href="b.mp3"/></entry></feed>') == [
        "https://cdn.example/a/b.mp3"
    ]


def test_items_that_share_a_guid_are_identified_by_their_addresses():
    same = [item(f"T{n}", f"https://a.example/{n}.mp3", "<guid>always</guid>") for n in range(3)]
    found = read(rss(*same, item("Own", "https://a.example/9.mp3", "<guid>g9</guid>")))
    assert [each.guid for each in found.items] == [None, None, None, "g9"]
    (note,) = found.notes
    assert all(word in note for word in ("3 items", "always", "T0, T1, T2"))


def test_item_that_is_repeated_keeps_its_guid_without_a_note():
    found = read(rss(item(more="<guid>g1</guid>"), item(more="<guid>g1</guid>")))
    assert {each.guid for each in found.items} == {"g1"}
    assert found.notes == ()


def test_known_tracks_keep_their_keys_when_titles_become_readable():
    """The keys were made from the text as yt-dlp decodes it, with replacement characters."""
    head = '<?xml version="1.0" encoding="ISO-8859-1"?>'
    document = rss(item("Grüße", more="<guid>ü1</guid>"), title="Für alle", head=head)
    found = read(document.encode("latin-1"))
    assert (found.title, found.items[0].title) == ("Für alle", "Grüße")
    assert (found.identity, found.items[0].guid) == ("F\ufffdr alle", "\ufffd1")


def test_atom_and_rdf_feeds_are_read():
    atom = (
        '<feed xmlns="http://www.w3.org/2005/Atom"><title>T</title><entry><id>a1</id><title>One</title>'
        '<link href="https://a.example/page"/><link rel="enclosure" href="https://a.example/1.mp3"/></entry></feed>'
    )
    rdf = (
        '<rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#" xmlns="http://purl.org/rss/1.0/">'
        "<channel><title>T</title></channel><item><title>One</title><link>https://a.example/1.mp3</link></item></rdf:RDF>"
    )
    for document, guid in ((atom, "a1"), (rdf, None)):
        found = read(document)
        assert found.title == "T"
        (only,) = found.items
        assert (only.title, only.address, only.guid) == ("One", "https://a.example/1.mp3", guid)


def test_json_feed_is_read():
    attachments = [
        {"url": "https://a.example/c.jpg", "mime_type": "image/jpeg"},
        {"url": "1.mp3", "mime_type": "audio/mpeg", "duration_in_seconds": 61},
    ]
    items = [
        {"id": 7, "title": "One \ud83d", "attachments": attachments},
        "nonsense",
        {"id": "post", "title": "No audio", "url": "https://a.example/post"},
        {"id": "b", "attachments": [None, {"url": "https://a.example/2.mp3", "duration_in_seconds": "x"}]},
    ]
    feed = json.dumps({"version": "https://jsonfeed.org/version/1.1", "title": "J", "items": items})
    found = read(feed, "application/feed+json")
    assert [(each.guid, each.title, each.address, each.duration) for each in found.items] == [
        ("7", "One ?", "https://pod.example/show/1.mp3", 61.0),
        ("b", None, "https://a.example/2.mp3", None),
    ]
    assert found.title == "J"
    assert len(found.problems) == 1
    assert "item 2" in found.problems[0]


@pytest.mark.parametrize("broken", ['{"version": "https://jsonfeed.org/version/1", ', "[" * 100_000])
def test_broken_json_feed_is_reported_in_one_sentence(broken):
    start = '{"version": "https://jsonfeed.org/version/1", "items": ' if broken.startswith("[") else ""
    with pytest.raises(TrackError, match=r"not valid JSON.*publisher"):
        read(start + broken, "application/feed+json")


@given(st.lists(st.text(st.characters(codec="utf-8", exclude_characters="\r"), max_size=30), min_size=1, max_size=4))
def test_titles_survive_escaping_in_well_formed_and_in_broken_feeds(names):
    """Python's own escaping is the oracle; one bare ampersand forces the repair of the whole feed."""
    legal = ["".join(c for c in name if c in "\t\n" or c >= " ") for name in names]
    legal = ["".join(c for c in name if c not in "\ufffe\uffff") for name in legal]
    items = [item(escape(name), f"https://a.example/{n}.mp3") for n, name in enumerate(legal)]
    expected = [name if name.strip() else None for name in legal]
    assert titles(rss(*items)) == expected
    assert titles(rss(*items, item("a & b"))) == [*expected, "a & b"]


@given(st.binary(max_size=200))
def test_any_content_is_a_list_or_not_but_never_a_traceback(noise):
    for start in (b"", b"<rss>", b"#EXTM3U\n", b"[playlist]\n", b'{"version": "jsonfeed.org/version"', b"<?xml <opml>"):
        with suppress(TrackError):
            found = read_list(start + noise, name="list.m3u", base=BASE)
            assert found is None or isinstance(found.items, tuple)


@pytest.mark.parametrize(
    "content",
    [
        "<rss>" + "<![CDATA[" * 200_000 + "&",
        "<rss><channel>" + "<title>" * 200_000 + "<item>",
        "<rss>" + "<item><title>" * 100_000,
        "<!DOCTYPE rss [" + "<!ENTITY a 'b'>" * 100_000,
        "<rss " + "a:b " * 200_000,
        "#EXTM3U\n" + "\n \n" * 200_000 + "x",
        "#EXTINF:1" + ' a="x"' * 100_000 + " z\n",
        "#PLAYLIST:" + " " * 500_000 + "x",
        "[playlist]\nFile1=a" + " " * 500_000 + "b\n" + " " * 500_000,
        "<" * 500_000,
        " " * 500_000 + "<rss",
    ],
)
def test_malicious_list_is_read_in_linear_time(content):
    """Regular expressions that backtrack would take almost forever."""
    with suppress(TrackError):
        found = read_list(content.encode(), name="list.m3u", base=BASE)
        assert found is None or len(found.items) <= 1


def xspf(*tracks: str) -> str:
    body = "".join(f"<track><location>{track}</location></track>" for track in tracks)
    return f'<playlist version="1" xmlns="http://xspf.org/ns/0/"><trackList>{body}</trackList></playlist>'


def opml(*files: str) -> str:
    body = "".join(f'<outline url="{file}"/>' for file in files)
    return f'<opml><body><outline text="All">{body}</outline></body></opml>'


@pytest.mark.parametrize(
    ("document", "kind"),
    [
        (rss(item("A & B", "a.flac"), item("C", "b.flac"), item("D", "c.flac")), "a feed"),
        (xspf("a.flac", "b.flac", "c.flac"), "an XSPF list"),
        (opml("a.flac", "b.flac", "c.flac"), "an OPML list"),
    ],
)
def test_complete_items_of_a_local_file_that_ends_too_early_are_listed(document, kind):
    """Wherever it ends, its items are those of the whole file up to there, and the last one is never half an item."""
    whole = [each.address for each in read_list(document.encode(), name="x").items]
    for end in range(document.index("a.flac"), document.index("c.flac")):
        n_items = document[:end].count("</item>") + document[:end].count("</track>")
        n_items += document[:end].count('"/>') if kind == "an OPML list" else 0
        if n_items:
            found = read_list(document[:end].encode(), name="x")
            assert [each.address for each in found.items] == whole[:n_items]
            (problem,) = found.problems
        else:
            with pytest.raises(TrackError) as caught:
                read_list(document[:end].encode(), name="x")
            assert caught.value.failure == "permanent"
            problem = str(caught.value)
        assert problem.startswith(f"x is {kind} whose XML ends too early, at line 1, column ")
        assert problem.endswith("; replace the file with a complete copy")


@pytest.mark.parametrize(("base", "advice"), [(None, "correct the file"), (BASE, "report this to its publisher")])
def test_advice_for_invalid_xml_depends_on_where_the_list_is(base, advice):
    with pytest.raises(TrackError, match=f"x is an XSPF list whose XML is invalid, at line 1, .*; {advice}") as caught:
        read_list(xspf("a</b>").encode(), name="x", base=base)
    assert caught.value.failure == "permanent"

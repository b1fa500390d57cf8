"""Prefect artifacts show untrusted text literally.

The tests use a Markdown parser with all dangerous features: HTML, tables and strikethrough. Prefect's parser (marked,
in the browser) also turns bare addresses into links, according to the pattern below.
"""

from __future__ import annotations

import re
from html.parser import HTMLParser

import pytest
from hypothesis import given
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from songform.plain_text import plain_text
from tasks.ingest.prefect_artifacts import (
    link_list,
    markdown_text,
    outcome_counts,
    publish_links,
    publish_progress,
    publish_tracks,
    track_rows,
)

BARE_ADDRESS = re.compile(r"(ftp|https?)://|www\.|[\w.+-]+@[\w-]", re.IGNORECASE)

HOSTILE = [
    *("<script>alert(1)</script>", "<img src=x onerror=alert(1)>", "</td></tr></table><b>", "<!--", "<javascript:a>"),
    *("[x](javascript:alert(1))", "![x](http://a.org/spy.png)", "[x]: http://a.org", "[x][y]", "<http://a.org>"),
    *("https://a.org/x?y=z&w", "www.a.org", "me@a.org", "mailto:me@a.org", "HTTPS://A.ORG", "ftp://a.org"),
    *("a | b | c", "|||", "| - |", "a\n| - |\n| b |", "--- | ---", "`code`", "``` python", "~~~", "~~gone~~"),
    *("*a*", "**b**", "_c_", "# head", "1. one", "1) one", "- item", "+ item", "* item", "> quote", "    code", "---"),
    *("===", "***", "a\\", "\\", "\\[x\\](javascript:a)", "&lt;script&gt;", "&#106;avascript:", "&colon;", "\t- x"),
    *("a\r\n\r\n# b", "a\u2028# b", "\x1b[31mred", "\u202efdp.exe", "$x$ {{ x }} {% x %}", "\\`a`", "\ud800"),
    *("[](javascript:a)", "[x](<javascript:a>)", "]](", "!", "- [ ] task", "[^1]", "[^1]: note", "a  \nb", "<a\nb>"),
]


class Page(HTMLParser):
    """Parsed HTML page: its elements, links and text."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.elements: list[str] = []
        self.links: list[str | None] = []
        self.words = ""
        self.feed(html)
        self.close()

    def handle_starttag(self, tag, attrs):  # noqa: D102
        self.elements.append(tag)
        if tag == "a":
            self.links.append(dict(attrs)["href"])

    def handle_data(self, data):  # noqa: D102
        self.words += data


def page(text: str) -> Page:
    parser = MarkdownIt("commonmark", {"html": True, "breaks": True}).enable(["table", "strikethrough"])
    parser.validateLink = lambda url: True  # Prefect's parser accepts links of any scheme
    return Page(parser.render(text))


def track(**changes) -> dict[str, object]:
    summary = {"key": "web-1", "title": "Song", "source": "https://a.org/1", "status": "done", "duration": 1.0}
    return {**summary, "attempts": 0, "next_retry_at": None, "error": None, **changes}


def test_test_parser_interprets_dangerous_markdown():
    for text in HOSTILE[:6]:
        assert page(text).elements != ["p"]
    assert page("[x](javascript:alert(1))").links == ["javascript:alert(1)"]
    assert page("| a |\n| - |\n| b |").elements.count("td") == 1


@pytest.mark.parametrize("text", HOSTILE)
def test_malicious_text_is_shown_literally(text):
    shown = page(markdown_text(text))
    assert shown.elements == ["p"]
    assert shown.words.strip() == plain_text(text)
    assert not BARE_ADDRESS.search(markdown_text(text))


@given(st.text(alphabet=st.one_of(st.sampled_from("<>[]()!|`*_~#-+=.:/\\&;\n\r\t 1x@w{}'\""), st.characters())))
def test_any_text_is_shown_literally(text):
    shown = page(markdown_text(text))
    assert shown.elements in (["p"], [])
    assert shown.words.strip() == plain_text(text)
    assert not BARE_ADDRESS.search(markdown_text(text))


@pytest.mark.parametrize("text", HOSTILE)
def test_malicious_text_does_not_add_table_cells(text):
    shown = page(f"| a | b |\n| - | - |\n| {markdown_text(text)} | last |")
    assert [line for line in shown.words.split("\n") if line] == ["a", "b", *filter(None, [plain_text(text)]), "last"]
    assert shown.elements.count("td") == 2
    assert shown.elements.count("tr") == 2
    assert set(shown.elements) == {"table", "thead", "tbody", "tr", "th", "td"}


def test_text_is_truncated_before_it_is_escaped():
    assert markdown_text("a]" * 200, 10) == "a\\]" * 4 + "a…"


@pytest.mark.parametrize("text", HOSTILE)
def test_row_of_malicious_texts_is_harmless_in_every_cell(text):
    error = {"class": text, "message": text}
    [row] = track_rows([track(title=text, source=text, status=text, error=error, next_retry_at=text, key=text)])
    assert set(row) == {"outcome", "title", "class", "reason", "next_try", "source"}
    assert [page(cell).elements for cell in row.values()] == [["p"]] * 6


def test_failures_come_first_and_tracks_keep_the_order_of_the_sources():
    statuses = ["cached", "done", "failed", "skipped", "odd", "failed"]
    rows = track_rows([track(status=status, title=str(number)) for number, status in enumerate(statuses)])
    assert [(row["outcome"], row["title"]) for row in rows] == [
        *(("failed", "2"), ("failed", "5"), ("skipped", "3"), ("done", "1"), ("cached", "0"), ("odd", "4"))
    ]


def test_row_shows_the_failure_its_reason_and_the_retry_time():
    error = {"class": "transient", "message": "a.org hung up"}
    [row] = track_rows([track(status="failed", error=error, next_retry_at="2026-11-22T12:00:00+00:00")])
    assert {name: page(cell).words.strip() for name, cell in row.items()} == {
        "outcome": "failed",
        "title": "Song",
        "class": "transient",
        "reason": "a.org hung up",
        "next_try": "2026-11-22T12:00:00+00:00",
        "source": "https://a.org/1",
    }


@pytest.mark.parametrize(("n_tracks", "n_rows", "last"), [(200, 200, "Song"), (201, 201, "… and 1 more")])
def test_long_table_is_truncated_with_a_count(n_tracks, n_rows, last):
    rows = track_rows([track()] * n_tracks)
    assert len(rows) == n_rows
    assert page(rows[-1]["title"]).words.strip() == last
    assert {tuple(row) for row in rows} == {tuple(rows[0])}


def test_outcome_counts_as_text():
    tracks = [track(status=status) for status in ("cached", "done", "failed", "cached", "skipped")]
    assert outcome_counts(tracks) == "1 failed, 1 skipped, 1 done, 2 cached"
    assert outcome_counts([]) == "no tracks"


def test_only_web_addresses_become_links():
    shown = page(link_list(["https://a.org/feed?a=b&c=%20d", "/music/[x](javascript:a)", "javascript:alert(1)"]))
    assert shown.links == ["https://a.org/feed?a=b&c=%20d"]
    assert shown.words.split("\n")[1:4] == [
        "source https://a.org/feed?a=b&c=%20d",
        "/music/[x](javascript:a)",
        "javascript:alert(1)",
    ]


@pytest.mark.parametrize(
    ("address", "link"),
    [
        ("https://a.org/a)b(c", "https://a.org/a%29b%28c"),
        ("https://a.org/<script>", "https://a.org/%3Cscript%3E"),
        ("https://a.org/\n\n# x", "https://a.org/%0A%0A#%20x"),
        ("https://a.org/`|\\", "https://a.org/%60%7C%5C"),
        ("https://a.org/ü\ud800", "https://a.org/%C3%BC?"),
        ("https:", None),
        ("https://[x", None),
        ("HTTPS://a.org", "HTTPS://a.org"),
        ("data:text/html,x", None),
    ],
)
def test_link_target_is_the_address(address, link):
    shown = page(link_list([address]))
    assert shown.links == ([] if link is None else [link])
    assert set(shown.elements) <= {"ul", "li", "a"}
    assert shown.elements.count("li") == 1


def test_number_of_links_is_limited():
    shown = page(link_list(["https://a.org"] * 300))
    assert len(shown.links) == 200
    assert "and 100 more" in shown.words


def test_nothing_is_published_outside_of_a_flow_run():
    assert publish_progress(1, 2) is None
    assert publish_tracks([track()]) is None
    assert publish_links(["https://a.org"]) is None

"""Tests of the markup: untrusted text stays text, and only the page's own scripts can run."""

from __future__ import annotations

import base64
import hashlib
import json
import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from jinja2 import UndefinedError

from songform import pages
from songform.errors import ParameterError
from songform.pages.markup import asset, data_block, page, program, templates

ASSETS = Path(pages.__file__).parent / "assets"
HOSTILE = [
    "</script><script>alert(1)</script>",
    "<!--<script>",
    "--><img src=x onerror=alert(1)>",
    "\" onmouseover=alert(1) x='",
    "&lt;b&gt; &amp; &#x3c;",
    "line\u2028separator\u2029paragraph",
    "</title></style></textarea><svg onload=alert(1)>",
    "${title} $title {{7*7}} `x`",
    "javascript:alert(1)",
]


INDEX = {"model": "", "n_songs": 1, "shares": {}, "silence": "Silence", "silence_seconds": 0.0, "data": ""}
INDEX |= {"has_sections": False}


def inserted(words, template="{{ words }}"):
    """Return text as a template inserts it."""
    return templates().from_string(template).render(words=words)


def whole(**values):
    return page("index.html", **{"title": "A title", "style": "", "scripts": ["1;"], **INDEX, **values})


@given(st.text(st.characters(exclude_characters="\r\0", exclude_categories=["Cs"])) | st.sampled_from(HOSTILE))
def test_escaped_text_is_parsed_as_the_same_text_between_tags_and_within_quotes(read, words):
    reader = read(inserted(words, '<p title="{{ words }}">{{ words }}</p>'))
    (element,) = reader.elements
    assert element.attributes == {"title": words}
    assert element.text == words


@given(st.text())
def test_any_text_can_be_encoded_after_escaping(words):
    assert not set(inserted(words).encode()) & {*b"<>\"'\0"}


def test_a_lone_surrogate_becomes_a_question_mark(read):
    assert inserted("half \ud83c of a pair") == "half ? of a pair"
    assert json.loads(read(data_block("x", ["half \ud83c"])).elements[0].text) == ["half ?"]


values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.text(st.characters(exclude_categories=["Cs"]))
    | st.sampled_from(HOSTILE),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(HOSTILE), inner, max_size=3),
    max_leaves=8,
)


@given(values)
def test_data_are_parsed_unchanged_and_cannot_end_their_element(read, value):
    block = data_block("data", value)
    (element,) = read(block).elements
    assert element.attributes == {"type": "application/json", "id": "data"}
    assert json.loads(element.text) == value
    assert block.count("<") == 2
    assert not {"\u2028", "\u2029", "&"} & set(element.text)


def test_data_that_json_cannot_represent_are_rejected():
    with pytest.raises(ValueError, match="not JSON compliant"):
        data_block("x", float("nan"))


@pytest.mark.parametrize("script", ["'</script>'", "'</SCRIPT '", "'<!--'", "a\r\nb", "'\0'"])
def test_a_script_that_could_end_its_element_or_change_its_hash_is_rejected(script):
    with pytest.raises(ParameterError, match=r"script must not contain </script, <!--.*null"):
        whole(scripts=[script])


def test_the_policy_allows_only_the_pages_own_scripts_and_no_network(read):
    scripts = ["console.log('ä')", "2;"]
    reader = read(whole(style="p {}", scripts=scripts, stamp='a"b'))
    content = reader.one("meta", http_equiv="Content-Security-Policy").attributes["content"]
    policy = dict(part.split(" ", 1) for part in content.split("; "))
    hashes = [base64.b64encode(hashlib.sha256(script.encode()).digest()).decode() for script in scripts]
    assert policy.pop("script-src") == " ".join(f"'sha256-{each}'" for each in hashes)
    assert policy == {
        "default-src": "'none'",
        "style-src": "'unsafe-inline'",
        "img-src": "data:",
        "media-src": "'none'",
        "base-uri": "'none'",
        "form-action": "'none'",
    }
    assert [element.text for element in reader.all("script")] == scripts
    assert reader.one("style").text.strip() == "p {}"
    assert reader.one("meta", name="songform-stamp").attributes["content"] == 'a"b'


def test_the_policy_precedes_styles_and_scripts(read):
    reader = read(whole())
    tags = [element.tag for element in reader.elements]
    assert tags.index("style") > 3
    assert "content-security-policy" in reader.elements[3].attributes["http-equiv"].lower()


def test_a_title_is_text(read):
    for title in HOSTILE:
        reader = read(whole(title=title, scripts=[]))
        assert reader.one("title").text == title
        assert not reader.all("script")


def test_expressions_in_values_are_not_evaluated():
    assert inserted("{{ 7 * 7 }} {% if %}") == "{{ 7 * 7 }} {% if %}"


def test_missing_value_of_a_template_is_an_error():
    with pytest.raises(UndefinedError, match="words"):
        templates().from_string("{{ words }}").render()


def test_our_scripts_never_interpret_text_as_html_or_code():
    """They use none of the functions and properties that do so."""
    sinks = r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|\beval\b|new Function|srcdoc|DOMParser"
    scripts = sorted(ASSETS.glob("*.js"))
    assert len(scripts) > 10
    assert {path.name: re.findall(sinks, path.read_text(encoding="utf-8")) for path in scripts} == {
        path.name: [] for path in scripts
    }


def test_assets_fetch_nothing():
    for path in ASSETS.iterdir():
        content = path.read_text(encoding="utf-8")
        assert re.findall(r"https?:|//[a-z]+\.|@import|url\(|fetch\(|XMLHttpRequest|WebSocket", content) == [], (
            path.name
        )


def test_the_wheel_contains_every_asset():
    from hatchling.builders.wheel import WheelBuilder

    root = Path(pages.__file__).parents[2]
    carried = {file.relative_path for file in WheelBuilder(str(root)).recurse_included_files()}
    assert {path.relative_to(root).as_posix() for path in ASSETS.iterdir()} <= carried


def test_a_program_defines_no_global_names():
    assert program("words.js").startswith('(() => {\n"use strict";\n')
    assert asset("words.js") in program("words.js", "theme.js")

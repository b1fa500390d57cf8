"""Tests of the cleaning of untrusted text."""

from __future__ import annotations

import pytest

from songform.plain_text import plain_text


@pytest.mark.parametrize(
    ("text", "plain"),
    [
        (None, ""),
        ("  a\t\n b\x00c ", "a b c"),
        ("\x1b[1;31mred\x1b[0m", "red"),
        ("a\u202eb", "ab"),
        ("e\u0301 👩\u200d🎤", "e\u0301 👩\u200d🎤"),
        ("x" * 201, "x" * 199 + "…"),
        ("\ud800", "?"),
    ],
)
def test_untrusted_text_is_cleaned(text, plain):
    assert plain_text(text) == plain

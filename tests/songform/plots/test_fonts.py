"""Fonts of the system for letters that DejaVu Sans lacks, and the note about letters that no font has."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from songform.plots import fonts
from songform.plots.drawing import save_png, stacked_axes
from songform.plots.fonts import FONT, font_families, missing_letters_note
from songform.plots.text import plain_text, text_width


def test_letters_are_drawn_in_fonts_of_the_system_that_have_them(system_fonts, made_font):
    """A title may need several fonts; each picture of a letter that a font has is a black square, and not a box."""
    system_fonts += [made_font("Test Han", "夜봄"), made_font("Test Kana", "にけ夜")]
    assert plain_text("x夜に봄ば") == "x夜に봄\N{WHITE SQUARE}"
    assert font_families("x夜") == [FONT, "Test Han"]
    assert font_families("x夜に봄ば") == [FONT, "Test Han", "Test Kana"]
    assert font_families("plain") == [FONT]
    file = io.BytesIO()
    save_png(stacked_axes(0.5, name="夜に")[0], file)
    with Image.open(file) as picture:
        heading = np.asarray(picture.convert("L").crop((15, 0, 60, 30)))
    assert (heading < 60).sum() > 2 * 13 * 13  # pixels; a box has only an edge
    assert text_width("夜に", 10) == pytest.approx(2 * 8 / 72, abs=0.05)


def test_fonts_of_the_system_are_searched_only_for_letters_that_the_font_lacks(monkeypatch):
    def refuse():
        raise AssertionError("fonts were searched")

    monkeypatch.setattr(fonts, "findSystemFonts", refuse)
    for text in ("plain", "Café, Ночь, ♪", "\N{FIRE} emoji", "\ue000 \U0010ffff \ud83c"):
        assert font_families(text) == [FONT]
        plain_text(text)
        assert missing_letters_note(text) == ""
    with pytest.raises(AssertionError, match="fonts were searched"):
        plain_text("夜")


def test_font_files_that_cannot_be_read_are_ignored(system_fonts, made_font, tmp_path):
    (tmp_path / "broken.ttf").write_bytes(b"not a font")
    removed = made_font("A Removed", "夜")
    system_fonts += [str(tmp_path / "broken.ttf"), str(tmp_path / "missing.ttf"), removed, made_font("Test Han", "夜")]
    fonts._system_families()
    Path(removed).unlink()
    assert font_families("夜") == [FONT, "Test Han"]


@pytest.mark.parametrize(
    ("title", "words"),
    [
        ("夜に駆ける", "Japanese letters"),
        ("月亮代表我的心", "Chinese letters"),
        ("봄날", "Korean letters"),
        ("月亮 봄날", "Chinese and Korean letters"),
        ("नमस्ते", "Devanagari letters"),
    ],
)
def test_note_names_the_scripts_that_no_font_has(title, words):
    note = missing_letters_note(title)
    assert words in note
    assert ("fonts-noto-core" if "Deva" in words else "fonts-noto-cjk") in note


def test_no_note_if_a_font_has_the_letters(system_fonts, made_font):
    system_fonts.append(made_font("Test Han", "夜"))
    assert missing_letters_note("夜") == ""
    assert "Japanese" in missing_letters_note("夜に")

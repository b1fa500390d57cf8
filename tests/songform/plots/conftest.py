"""Fonts for the tests of pictures."""

from __future__ import annotations

from pathlib import Path

import matplotlib as mpl
import pytest
from fontTools.fontBuilder import FontBuilder
from fontTools.pens.ttGlyphPen import TTGlyphPen

from songform.plots import fonts


@pytest.fixture(autouse=True)
def system_fonts(monkeypatch):
    """Let no font of the system be found, so that the tests do not depend on the machine; return the list of paths."""
    paths: list[str] = []
    own = [entry for entry in fonts.fontManager.ttflist if Path(entry.fname).is_relative_to(mpl.get_data_path())]
    monkeypatch.setattr(fonts.fontManager, "ttflist", own)
    monkeypatch.setattr(fonts, "findSystemFonts", lambda: list(paths))
    caches = (fonts._has, fonts._system_family, fonts._system_families)
    for cache in caches:
        cache.cache_clear()
    yield paths
    for cache in caches:
        cache.cache_clear()


@pytest.fixture
def made_font(tmp_path):
    """Return a function that makes a font in which each of some letters is a black square."""

    def make(family: str, letters: str) -> str:
        names = [f"u{ord(letter):04X}" for letter in letters]
        pen = TTGlyphPen(None)
        for step, corner in enumerate([(0, 0), (0, 700), (700, 700), (700, 0)]):
            (pen.lineTo if step else pen.moveTo)(corner)
        pen.closePath()
        builder = FontBuilder(1000, isTTF=True)
        builder.setupGlyphOrder([".notdef", *names])
        builder.setupCharacterMap(dict(zip(map(ord, letters), names, strict=True)))
        builder.setupGlyf({".notdef": TTGlyphPen(None).glyph(), **dict.fromkeys(names, pen.glyph())})
        builder.setupHorizontalMetrics(dict.fromkeys([".notdef", *names], (800, 0)))
        builder.setupHorizontalHeader(ascent=800, descent=-200)
        builder.setupNameTable({"familyName": family, "styleName": "Regular"})
        builder.setupOS2(sTypoAscender=800, sTypoDescender=-200, usWinAscent=800, usWinDescent=200)
        builder.setupPost()
        builder.save(tmp_path / f"{family}.ttf")
        return str(tmp_path / f"{family}.ttf")

    return make

"""Fonts of pictures: DejaVu Sans, and fonts of the system for letters that it lacks.

DejaVu Sans comes with Matplotlib, so a picture without other letters is the same on every machine. It has no Chinese,
Japanese and Korean letters. For those, the fonts that are installed are searched, which happens only if such letters
occur, and once per letter and process. Letters that no font has are drawn as boxes, and `missing_letters_note` says so.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence
from functools import cache
from typing import Any

from matplotlib.font_manager import FontProperties, findfont, findSystemFonts, fontManager, get_font
from matplotlib.ft2font import FT2Font

__all__ = ["FONT", "font_families", "font_of", "is_drawable", "missing_letters_note"]

FONT = "DejaVu Sans"

_PREFERRED = (
    *("Noto Sans CJK", "Source Han Sans", "Noto Sans JP", "Noto Sans SC", "Noto Sans TC", "Noto Sans KR"),
    *("WenQuanYi", "IPA", "VL Gothic", "Takao", "Nanum", "UnDotum", "Droid Sans Fallback", "Unifont"),  # Linux
    *("Hiragino", "PingFang", "Apple SD Gothic", "Arial Unicode"),  # macOS
    *("Yu Gothic", "MS Gothic", "Microsoft YaHei", "SimSun", "Malgun Gothic"),  # Windows
)
"""Starts of the names of fonts that are tried first, because they have many letters and suit DejaVu Sans."""

_UNSUITABLE = ("Last Resort", "LastResort", ".LastResort", "DejaVu", "STIX", "cm")
"""Starts of the names of fonts that show the script of a letter instead of it, or that have only symbols and letters of
`FONT`.
"""

_REGULAR = (400, "normal", "regular")  # weights
_SCRIPTS = {"CJK": "Chinese", "HIRAGANA": "Japanese", "KATAKANA": "Japanese", "HANGUL": "Korean", "BOPOMOFO": "Chinese"}
_CJK_PACKAGE, _OTHER_PACKAGE = "fonts-noto-cjk", "fonts-noto-core"


def font_families(text: str) -> list[str]:
    """Return the font families that have the letters of a text, as Matplotlib's keyword `family`.

    Parameters
    ----------
    text : str
        Any text.

    Returns
    -------
    list of str
        `FONT`, and then as few other families as have its letters. Letters that no font has need no family.
    """
    families = [FONT]
    for letter in dict.fromkeys(text):
        if not any(_has(family, letter) for family in families) and (family := _system_family(letter)):
            families.append(family)
    return families


def font_of(families: Sequence[str]) -> FT2Font:
    """Return the font in which Matplotlib draws a text with these families; each thread gets an object of its own.

    Raises
    ------
    ValueError
        If no font of one of the families is installed.
    """
    # Matplotlib would search all fonts again for a file that was removed.
    options: dict[str, Any] = {"fallback_to_default": False, "rebuild_if_missing": False}
    paths = [findfont(FontProperties(family=[family]), **options) for family in families]
    font: FT2Font = get_font(paths)
    return font


def is_drawable(letter: str) -> bool:
    """Return whether `FONT` or a font of the system has a letter."""
    return _has(FONT, letter) or _system_family(letter) is not None


def missing_letters_note(text: str) -> str:
    """Return a sentence about the letters of a text that no font has, or an empty string.

    Parameters
    ----------
    text : str
        Any text, such as the title of a song. Symbols that no font has, such as emoji, are not mentioned.
    """
    letters = unicodedata.normalize("NFKC", text)
    missing = [letter for letter in dict.fromkeys(letters) if letter.isalpha() and not is_drawable(letter)]
    if not missing:
        return ""
    scripts = list(dict.fromkeys(_script(letter) for letter in missing))
    if "Japanese" in scripts and "Chinese" in scripts:
        scripts.remove("Chinese")  # Japanese is written with Chinese letters, too.
    is_cjk = bool(set(scripts) & set(_SCRIPTS.values()))
    package = _CJK_PACKAGE if is_cjk else _OTHER_PACKAGE
    return (
        f"pictures show boxes for {' and '.join(scripts)} letters of titles, because no installed font has them; "
        f"install such a font, for example the Debian package {package}, and run the command again"
    )


def _script(letter: str) -> str:
    """Return the name of the script of a letter, which is the first word of its Unicode name."""
    word = unicodedata.name(letter, "UNKNOWN").split()[0]
    return _SCRIPTS.get(word, word.capitalize())


@cache
def _has(family: str, letter: str) -> bool:
    """Return whether the regular font of a family has a letter."""
    try:
        font = font_of([family])
    except (OSError, RuntimeError, ValueError):  # the file was removed, or FreeType cannot read it
        return False
    return font.get_char_index(ord(letter)) != 0


@cache
def _system_family(letter: str) -> str | None:
    """Return a font family of the system that has a letter, or None.

    Emoji and unassigned characters are not searched for: fonts of emoji consist of bitmaps, which cannot be drawn.
    """
    if unicodedata.category(letter)[0] not in "LNP":
        return None
    return next((family for family in _system_families() if _has(family, letter)), None)


@cache
def _system_families() -> tuple[str, ...]:
    """Return the names of the installed font families, preferred ones first.

    Matplotlib remembers the fonts of its first run in a file. Fonts that were installed since are added to its list in
    this process; there is no other way to use them together with `FONT`.
    """
    known = {entry.fname for entry in fontManager.ttflist}
    for path in sorted(set(findSystemFonts()) - known):
        try:
            fontManager.addfont(path)
        except (OSError, RuntimeError, ValueError):  # not a font, or one without outlines
            continue
    entries = [entry for entry in fontManager.ttflist if not entry.name.startswith(_UNSUITABLE)]
    regular = {entry.name for entry in entries if entry.weight in _REGULAR}
    names = {entry.name for entry in entries}
    return tuple(sorted(names, key=lambda name: (name not in regular, _rank(name), name)))


def _rank(name: str) -> int:
    """Return the position of a font family in `_PREFERRED`, or the number of its entries."""
    return next((i for i, start in enumerate(_PREFERRED) if name.startswith(start)), len(_PREFERRED))

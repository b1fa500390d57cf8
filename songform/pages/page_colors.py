"""Colors of the states and of the letters of sections on pages, for the light and the dark theme.

In the light theme, each state and each letter has its color from `songform.plots.palette`, as in all pictures. In the
dark theme, colors with too little contrast to the background are lightened, by no more than is needed. Text on a color
is black or white, whichever has more contrast; the contrast is always at least 4.5.

References
----------
W3C, Web Content Accessibility Guidelines 2.2: relative luminance, contrast ratio (1.4.3, 1.4.11).
"""

from __future__ import annotations

import colorsys
from collections.abc import Iterable, Sequence
from typing import NamedTuple

import numpy as np

from songform.plots.palette import section_color, state_color

__all__ = [
    "DARK_GROUND",
    "LIGHT_GROUND",
    "Tone",
    "contrast",
    "letter_rules",
    "section_tone",
    "state_tone",
    "tone_rules",
]

LIGHT_GROUND, DARK_GROUND = "#FFFFFF", "#15171C"
_MIN_CONTRAST = 3.0  # WCAG's minimum for graphics


class Tone(NamedTuple):
    """Color of a label, and of text on it, in the light and the dark theme, as `#RRGGBB`."""

    light: str
    light_ink: str
    dark: str
    dark_ink: str


def state_tone(state: str) -> Tone:
    """Return the colors of a state.

    Parameters
    ----------
    state : str
        Name of the state, or any other label.

    Returns
    -------
    Tone
        Colors in both themes.
    """
    return _tone(state_color(state))


def section_tone(label: str) -> Tone:
    """Return the colors of the sections or phrases with a label.

    Parameters
    ----------
    label : str
        Letter, or any other label.

    Returns
    -------
    Tone
        Colors in both themes.
    """
    return _tone(section_color(label))


def _tone(light: str) -> Tone:
    dark = _dark_color(light)
    return Tone(light, _ink(light), dark, _ink(dark))


def tone_rules(states: Sequence[str]) -> str:
    """Return the CSS classes `.tone-0`, `.tone-1`, ... with the colors of the states, in their order."""
    return _rules("tone", map(state_tone, states))


def letter_rules(name: str, labels: Sequence[str]) -> str:
    """Return the CSS classes `.<name>-0`, `.<name>-1`, ... with the colors of letters, in their order."""
    return _rules(name, map(section_tone, labels))


def _rules(name: str, tones: Iterable[Tone]) -> str:
    return "\n".join(
        f".{name}-{i} {{ --tone: light-dark({tone.light}, {tone.dark}); "
        f"--on-tone: light-dark({tone.light_ink}, {tone.dark_ink}) }}"
        for i, tone in enumerate(tones)
    )


def contrast(one: str, other: str) -> float:
    """Return the contrast ratio of two colors, from 1 to 21."""
    low, high = sorted((_luminance(one), _luminance(other)))
    return (high + 0.05) / (low + 0.05)


def _ink(color: str) -> str:
    return max("#000000", "#FFFFFF", key=lambda ink: contrast(ink, color))


def _dark_color(color: str) -> str:
    """Lighten a color until it has enough contrast to the dark background; invert the lightness of a gray."""
    if contrast(color, DARK_GROUND) >= _MIN_CONTRAST:
        return color
    hue, lightness, saturation = colorsys.rgb_to_hls(*_parts(color))
    if saturation < 0.05:
        return _hex(hue, 1 - lightness, saturation)  # a lightened black would look like another state's gray
    steps = (_hex(hue, step, saturation) for step in np.arange(lightness, 1, 0.01))
    return next(step for step in steps if contrast(step, DARK_GROUND) >= _MIN_CONTRAST)


def _luminance(color: str) -> float:
    linear = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in _parts(color)]
    return float(np.dot(linear, (0.2126, 0.7152, 0.0722)))


def _parts(color: str) -> tuple[float, float, float]:
    red, green, blue = (int(color[i : i + 2], 16) / 255 for i in (1, 3, 5))
    return red, green, blue


def _hex(hue: float, lightness: float, saturation: float) -> str:
    return "#" + "".join(f"{round(255 * part):02X}" for part in colorsys.hls_to_rgb(hue, lightness, saturation))

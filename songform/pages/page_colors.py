"""Page colors: the states' colours as a page needs them, on a light and on a dark ground, with words on them.

On a light ground a state has the colour that it has in every picture, `songform.plots.palette`. On a dark one a colour
that would sink into it is made lighter, as little as makes it seen. Words on a colour are black or white, whichever is
easier to read: one of the two always has a contrast of 4.5 at least.

References
----------
W3C, Web Content Accessibility Guidelines 2.2: relative luminance, contrast ratio (1.4.3, 1.4.11).
"""

from __future__ import annotations

import colorsys
from typing import NamedTuple

import numpy as np

from songform.plots.palette import state_color

__all__ = ["DARK_GROUND", "LIGHT_GROUND", "Tone", "contrast", "state_tone"]

LIGHT_GROUND, DARK_GROUND = "#FFFFFF", "#15171C"
_LEAST_CONTRAST = 3.0  # of what is no text


class Tone(NamedTuple):
    """A state's colour on both grounds, and the colour of words on it; `#RRGGBB` each."""

    light: str
    light_ink: str
    dark: str
    dark_ink: str


def state_tone(state: str) -> Tone:
    """Return the colours of a state.

    Parameters
    ----------
    state : str
        The state's name, or any other label.
    """
    light = state_color(state)
    dark = _seen_on_dark(light)
    return Tone(light, _ink(light), dark, _ink(dark))


def contrast(one: str, other: str) -> float:
    """Return the contrast of two colours, 1 to 21."""
    low, high = sorted((_luminance(one), _luminance(other)))
    return (high + 0.05) / (low + 0.05)


def _ink(color: str) -> str:
    return max("#000000", "#FFFFFF", key=lambda ink: contrast(ink, color))


def _seen_on_dark(color: str) -> str:
    """Lighten a colour until it is seen on the dark ground; of one without a hue, take the opposite."""
    if contrast(color, DARK_GROUND) >= _LEAST_CONTRAST:
        return color
    hue, lightness, saturation = colorsys.rgb_to_hls(*_parts(color))
    if saturation < 0.05:
        return _hex(hue, 1 - lightness, saturation)  # lightened only, black would be taken for another state's grey
    steps = (_hex(hue, step, saturation) for step in np.arange(lightness, 1, 0.01))
    return next(step for step in steps if contrast(step, DARK_GROUND) >= _LEAST_CONTRAST)


def _luminance(color: str) -> float:
    linear = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in _parts(color)]
    return float(np.dot(linear, (0.2126, 0.7152, 0.0722)))


def _parts(color: str) -> tuple[float, float, float]:
    red, green, blue = (int(color[i : i + 2], 16) / 255 for i in (1, 3, 5))
    return red, green, blue


def _hex(hue: float, lightness: float, saturation: float) -> str:
    return "#" + "".join(f"{round(255 * part):02X}" for part in colorsys.hls_to_rgb(hue, lightness, saturation))

"""Colors of the states and of the letters of sections, which are the same in every picture.

The named states have five hues of the palette of Okabe and Ito [1]_. Three are darkened, so that colors that differ
little in hue for readers with color vision deficiency differ in lightness. Any two of the five named states are at
least 30 units of CIELAB apart in normal vision, deuteranopia and protanopia, and 20 units in the rare tritanopia. Any
two of the first nine states are at least 15 units apart. A test computes these distances with the model of Machado,
Oliveira and Fernandes [2]_. Silence, which is not a state, is a neutral gray that is visible on white and on black.

Letters have pale colors, because they are printed on their color, and because states have strong ones: a letter's color
is at least 25 units of CIELAB from those of the five named states in normal vision. Any two of the first six letters
are at least 18 units apart, and of the first fourteen 12 units, in normal vision, deuteranopia and protanopia; in
tritanopia 13 and 9 units.

References
----------
.. [1] M. Okabe and K. Ito, "Color universal design", 2008.
.. [2] G. M. Machado, M. M. Oliveira and L. Fernandes, "A physiologically-based model for simulation of color vision
       deficiency", 2009.
"""

from __future__ import annotations

import colorsys
import zlib
from collections.abc import Iterable

from songform.sections.letters import letter_number
from songform.structure.silence import SILENCE

__all__ = ["SECTION_COLORS", "SILENCE_COLOR", "STATE_COLORS", "section_color", "state_color", "state_order"]

STATE_COLORS = {
    "Calm": "#56B4E9",
    "BuildUp": "#E69F00",
    "Energetic": "#B84300",
    "Transition": "#5B2A86",
    "Repetitive": "#00866A",
    "State 6": "#6A5CFF",
    "State 7": "#1A1A1A",
    "State 8": "#DF98C0",
    "State 9": "#F0E442",
    "State 10": "#6B6B6B",
    "State 11": "#9C6B30",
    "State 12": "#7FAE3F",
}

SILENCE_COLOR = "#949494"

SECTION_COLORS = (
    *("#CCCCFF", "#E4A860", "#84F0D8", "#8490F0", "#D878C0", "#90B484", "#D8F09C"),
    *("#E47860", "#FCB4B4", "#B4F0FC", "#FFE4C0", "#FCD878", "#D8A8CC", "#90D890"),
)
"""Colors of the sections A, B, C and so on."""

_GOLDEN_RATIO = (5**0.5 - 1) / 2


def state_color(state: str) -> str:
    """Return the color of a state.

    Parameters
    ----------
    state : str
        Name of the state, or `SILENCE`. A name without a fixed color gets a color that depends only on the name.

    Returns
    -------
    str
        Color as `#RRGGBB`.
    """
    if state in STATE_COLORS:
        return STATE_COLORS[state]
    if state == SILENCE:
        return SILENCE_COLOR
    digest = _digest(state)
    return _color((digest % 360) / 360, 0.4 + (digest // 360 % 3) / 10, 0.45)


def section_color(label: str) -> str:
    """Return the color of the sections with a label.

    Parameters
    ----------
    label : str
        Letter of a section (A to Z, A1 to Z1, and so on) or of a phrase (a to z, a1 to z1, and so on), which has the
        color of the section's letter. Any other label, such as a person's, gets a color that depends only on the label.

    Returns
    -------
    str
        Color as `#RRGGBB`. Dark text on it has a contrast of at least 4.5. Letters after N have colors that differ, but
        not clearly.
    """
    number = letter_number(label)
    if number is None:
        digest = _digest(label)
        return _color((digest % 360) / 360, 0.74 + (digest // 360 % 3) / 14, 0.5)
    if number < len(SECTION_COLORS):
        return SECTION_COLORS[number]
    # Multiples of the golden ratio are spread evenly around the circle of hues.
    return _color(number * _GOLDEN_RATIO % 1, 0.74 + number % 3 / 14, 0.5)


def state_order(states: Iterable[str]) -> list[str]:
    """Return the order of the states in a picture.

    Parameters
    ----------
    states : iterable of str
        Names of states; they may be repeated.

    Returns
    -------
    list of str
        Each name once: names with a fixed color in the order of `STATE_COLORS`, then the others in order of their
        first occurrence, and then silence.
    """
    present = dict.fromkeys(states)
    others = [state for state in present if state not in STATE_COLORS and state != SILENCE]
    return [state for state in STATE_COLORS if state in present] + others + [SILENCE] * (SILENCE in present)


def _digest(name: str) -> int:
    """Return a number that depends only on a name; Python's hash() of a string differs between processes."""
    return zlib.crc32(name.encode("utf-8", "replace"))


def _color(hue: float, lightness: float, saturation: float) -> str:
    rgb = colorsys.hls_to_rgb(hue, lightness, saturation)
    return "#" + "".join(f"{round(255 * part):02X}" for part in rgb)

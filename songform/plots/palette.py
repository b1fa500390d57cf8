"""Colors of the states, which are the same in every picture.

The named states have five hues of the palette of Okabe and Ito [1]_. Three are darkened, so that colors that differ
little in hue for readers with color vision deficiency differ in lightness. Any two of the five named states are at
least 30 units of CIELAB apart in normal vision, deuteranopia and protanopia, and 20 units in the rare tritanopia. Any
two of the first nine states are at least 15 units apart. A test computes these distances with the model of Machado,
Oliveira and Fernandes [2]_. Silence, which is not a state, is a neutral gray that is visible on white and on black.

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

from songform.structure.silence import SILENCE

__all__ = ["SILENCE_COLOR", "STATE_COLORS", "state_color", "state_order"]

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
    # Python's hash() of a string differs between processes.
    digest = zlib.crc32(state.encode("utf-8", "replace"))
    rgb = colorsys.hls_to_rgb((digest % 360) / 360, 0.4 + (digest // 360 % 3) / 10, 0.45)
    return "#" + "".join(f"{round(255 * part):02X}" for part in rgb)


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

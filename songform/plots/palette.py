"""The colours of the states, the same in every picture.

Five hues of Okabe and Ito's palette. Three are darkened, so that where a colour-blind eye sees no difference in hue
it sees one in lightness: any two of the five named states are at least 30 units of CIELAB apart in normal sight, in
deuteranopia and in protanopia, and 20 in the rare tritanopia; any two of the first nine states 15 (a test computes it).

References
----------
M. Okabe and K. Ito (2008), Color universal design: the palette.
G. M. Machado, M. M. Oliveira and L. Fernandes (2009), A physiologically-based model for simulation of color vision
deficiency: how the test sees with a colour-blind eye.
"""

from __future__ import annotations

import colorsys
import zlib
from collections.abc import Iterable

__all__ = ["STATE_COLORS", "state_color", "state_order"]

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


def state_color(state: str) -> str:
    """Colour of a state.

    Parameters
    ----------
    state : str
        The state's name. One without a fixed colour gets a colour that depends on the name alone.

    Returns
    -------
    str
        `#RRGGBB`.
    """
    if state in STATE_COLORS:
        return STATE_COLORS[state]
    # Python's own hash() of a string changes from one process to the next.
    digest = zlib.crc32(state.encode("utf-8", "replace"))
    rgb = colorsys.hls_to_rgb((digest % 360) / 360, 0.4 + (digest // 360 % 3) / 10, 0.45)
    return "#" + "".join(f"{round(255 * part):02X}" for part in rgb)


def state_order(states: Iterable[str]) -> list[str]:
    """Order of the states in a picture.

    Parameters
    ----------
    states : iterable of str
        Names, with repetitions.

    Returns
    -------
    list of str
        Each name once: those with a fixed colour in the order of `STATE_COLORS`, then the others as they come.
    """
    present = dict.fromkeys(states)
    return [state for state in STATE_COLORS if state in present] + [s for s in present if s not in STATE_COLORS]

"""Plans of demo songs: title, order and length of the sections, and their levels.

Conventions
-----------
A plan is a list of (state, number of bars). Levels are in dB relative to an Energetic section. Each section has a level
at its start and at its end, which differ in a BuildUp and a Transition.
"""

from __future__ import annotations

import numpy as np

__all__ = ["STATES", "Levels", "Plan", "new_levels", "new_plan", "new_title"]

Plan = list[tuple[str, int]]
Levels = tuple[float, float]

STATES = {"C": "Calm", "B": "BuildUp", "E": "Energetic", "T": "Transition", "R": "Repetitive"}

# Each form has a beginning, a cycle that is repeated to fill the duration, and an end.
FORMS = (
    ("CR", "BETR", "EC"),
    ("RC", "BETC", "ER"),
    ("C", "BETR", "BE"),
    ("R", "BETC", "BE"),
    ("CR", "BETC", "BE"),
    ("RB", "ETCB", "ER"),
    ("CB", "ETRB", "EC"),
    ("C", "BERTC", "BE"),
)
LEAST_SECONDS = 5.0  # minimum mean duration of a section, so that its state can be perceived
OUTER_SECONDS = 40.0  # approximate duration of the beginning and the end together
CYCLE_SECONDS = 35.0
TRANSITION_SECONDS = (4.0, 8.0)

RANGES_DB = {"Calm": (-18.0, -14.5), "Repetitive": (-9.0, -7.0), "Transition": (-5.0, -3.0), "Energetic": (0.0, 0.0)}
BUILD_UP_END_DB = -3.5

FIRST_WORDS = """Amber Ashen Autumn Blue Borrowed Brass Bright Broken Cedar Cobalt Copper Crimson Distant Early Electric
Empty Fading Feral Frozen Gentle Gilded Glass Golden Granite Hidden Hollow Honest Indigo Iron Ivory Late Linen Little
Lunar Marble Midnight Northern Open Paper Patient Polar Quiet Restless Rolling Rusted Salt Scarlet Second Silent Silver
Slow Southern Spare Summer Tidal Tin Velvet Violet Waking Wandering Western Wild Winter Wooden"""
SECOND_WORDS = """Anchor Arcade Atlas Avenue Balcony Bicycle Bridge Canal Carousel Castle Cinema Compass Corridor Engine
Feather Ferry Field Fountain Garden Harbour Horizon Hotel Island Junction Kite Ladder Lantern Letter Library Lighthouse
Machine Map Market Meadow Meridian Mirror Motel Museum Needle Orchard Parade Pavilion Piano Planet Postcard Radio River
Satellite Signal Staircase Station Street Telegram Theatre Thread Tower Tram Tunnel Umbrella Valley Wheel Willow Window
Workshop"""
LAST_WORDS = ("", "", "", " at Dawn", " in the Rain", " by the Sea", " Again", " After Dark")


def new_title(rng: np.random.Generator) -> str:
    """Choose a title of a few words at random."""
    return f"{rng.choice(FIRST_WORDS.split())} {rng.choice(SECOND_WORDS.split())}{rng.choice(LAST_WORDS)}"


def new_plan(rng: np.random.Generator, duration: float, bar_seconds: float) -> Plan:
    """Choose a form at random, and distribute the bars among its sections.

    Parameters
    ----------
    rng : numpy.random.Generator
        Random number generator.
    duration : float
        Minimum duration of the song in seconds.
    bar_seconds : float
        Length of a bar in seconds.

    Returns
    -------
    Plan
        States and lengths of the sections, with at least two bars per section and otherwise as few as fill the
        duration.
    """
    n_bars = int(np.ceil(duration / bar_seconds))
    first, cycle, last = FORMS[rng.integers(len(FORMS))]
    form = first + cycle * max(1, round((duration - OUTER_SECONDS) / CYCLE_SECONDS)) + last
    form = form[: max(1, min(n_bars // 2, int(duration / LEAST_SECONDS)))]
    shares = {letter: rng.uniform(0.85, 1.15) / form.count(letter) for letter in sorted(set(form))}
    weights = np.array([shares[letter] for letter in form])
    turning = np.array([letter == "T" for letter in form])
    bars = np.where(turning, _transition_bars(duration, bar_seconds), 2)
    # Give each remaining bar to the section that is furthest below its share.
    for _ in range(n_bars - int(bars.sum())):
        bars[np.argmin(np.where(turning, np.inf, bars / weights))] += 1
    return [(STATES[letter], int(count)) for letter, count in zip(form, bars, strict=True)]


def new_levels(rng: np.random.Generator, plan: Plan) -> list[Levels]:
    """Choose the level of each section at random, with one level per state.

    Parameters
    ----------
    rng : numpy.random.Generator
        Random number generator.
    plan : Plan
        States and lengths of the sections.

    Returns
    -------
    list of tuple of float
        Level at the start and at the end of each section. A BuildUp starts at the mean of the levels of Calm and of the
        preceding section. A Transition ends at the mean of its own level and that of the following section.
    """
    drawn = {state: float(rng.uniform(*bounds)) for state, bounds in RANGES_DB.items()}
    states = ["Calm", *(state for state, _ in plan), "Calm"]
    levels = []
    for before, state, after in zip(states, states[1:], states[2:], strict=False):
        if state == "BuildUp":
            levels.append(((drawn[before] + drawn["Calm"]) / 2, BUILD_UP_END_DB))
        elif state == "Transition":
            levels.append((drawn[state], (drawn[state] + drawn[after]) / 2))
        else:
            levels.append((drawn[state], drawn[state]))
    return levels


def _transition_bars(duration: float, bar_seconds: float) -> int:
    """Return the length of a transition: a tenth of the song, limited to `TRANSITION_SECONDS`, at least two bars."""
    shortest, longest = TRANSITION_SECONDS
    n_bars = round(min(max(0.1 * duration, shortest), longest) / bar_seconds)
    return max(2, min(n_bars, int(longest / bar_seconds)))

"""The forms of songs of the study: free orders of sections, drawn state by state.

Any state may follow any other, but for a Transition after a Transition, and but for itself: between two sections there
is always something to hear. What has not been heard yet is drawn sooner. A song ends on Calm, Energetic or Repetitive.

Conventions
-----------
A form is a list of (state, bars). A section has 1 to 16 bars, and as many seconds as its state needs to be heard and
bears.
"""

from __future__ import annotations

from collections.abc import Collection

import numpy as np

from songform.synth.score.plan import Plan

__all__ = ["SECONDS", "new_form"]

BARS = (1, 2, 3, 4, 5, 6, 8, 10, 12, 16)
FAVOURED = {4: 2.0, 8: 3.0, 16: 1.5}  # how much likelier than the others

# How long a section of each state may be, in seconds.
SECONDS = {
    "Calm": (3.5, 28.0),
    "BuildUp": (4.0, 20.0),
    "Energetic": (3.5, 28.0),
    "Transition": (1.2, 5.5),
    "Repetitive": (5.0, 30.0),
}

# How likely a state follows another; a song begins as after a Transition.
FOLLOWING = {
    "Calm": {"BuildUp": 3.0, "Repetitive": 2.5, "Energetic": 2.0, "Transition": 2.5},
    "BuildUp": {"Energetic": 5.0, "Transition": 1.5, "Repetitive": 2.0, "Calm": 1.5},
    "Energetic": {"Transition": 2.5, "Calm": 2.5, "Repetitive": 2.5, "BuildUp": 2.5},
    "Transition": {"Energetic": 3.0, "Calm": 2.5, "Repetitive": 2.5, "BuildUp": 2.0},
    "Repetitive": {"BuildUp": 3.0, "Energetic": 3.0, "Calm": 2.0, "Transition": 2.0},
}
CLOSING = ("Calm", "Energetic", "Repetitive")
UNHEARD = 3.0  # what has not been heard is so much likelier
LEAST_STATES = 3
ATTEMPTS = 20


def new_form(rng: np.random.Generator, duration: float, bar_seconds: float, lacking: Collection[str] = ()) -> Plan:
    """Draw states and their lengths until a song is filled.

    Parameters
    ----------
    rng : numpy.random.Generator
        Draws the states and their lengths.
    duration : float
        What is to be filled, in seconds.
    bar_seconds : float
        The length of a bar.
    lacking : collection of str
        States that do not occur; one of Calm, Energetic and Repetitive must remain.

    Returns
    -------
    Plan
        At least as long as the duration; the last section is as short as that allows. Where there is time for it, no
        more than two of the five states are missing.
    """
    forms = [_drawn_form(rng, duration, bar_seconds, lacking)]
    while _n_states(forms[-1]) < LEAST_STATES and len(forms) < ATTEMPTS:
        forms.append(_drawn_form(rng, duration, bar_seconds, lacking))
    return max(forms, key=_n_states)


def _n_states(form: Plan) -> int:
    return len({state for state, _ in form})


def _drawn_form(rng: np.random.Generator, duration: float, bar_seconds: float, lacking: Collection[str]) -> Plan:
    """Draw sections until nothing is left to fill and the last one may close a song."""
    form: Plan = []
    left = int(np.ceil(duration / bar_seconds - 1e-9))
    while left > 0 or form[-1][0] not in CLOSING:
        state = _next_state(rng, form, lacking, closing=left <= 0)
        bars = _n_bars(rng, state, bar_seconds)
        if state in CLOSING:
            bars = max(min(bars, left), _fitting(state, bar_seconds)[0])
        form.append((state, bars))
        left -= bars
    return form


def _next_state(rng: np.random.Generator, form: Plan, lacking: Collection[str], *, closing: bool) -> str:
    """Draw what follows."""
    likely = FOLLOWING[form[-1][0] if form else "Transition"]
    heard = {state for state, _ in form}
    weights = {
        state: weight * (1.0 if state in heard else UNHEARD)
        for state, weight in likely.items()
        if state not in lacking and (state in CLOSING or not closing)
    }
    shares = np.array(list(weights.values()))
    return str(rng.choice(list(weights), p=shares / shares.sum()))


def _fitting(state: str, bar_seconds: float) -> list[int]:
    """Return the numbers of bars that a section of a state may have: one at least."""
    shortest, longest = SECONDS[state]
    fitting = [bars for bars in BARS if shortest <= bars * bar_seconds <= longest]
    return fitting or [max(1, int(np.ceil(shortest / bar_seconds)))]


def _n_bars(rng: np.random.Generator, state: str, bar_seconds: float) -> int:
    """Draw the length of a section; the lengths that are usual in music are likelier."""
    fitting = _fitting(state, bar_seconds)
    weights = np.array([FAVOURED.get(bars, 1.0) for bars in fitting])
    return int(rng.choice(fitting, p=weights / weights.sum()))

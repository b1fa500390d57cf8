"""Forms of study songs: random sequences of sections.

Adjacent sections always have different states; any state can follow any other. States that have not occurred yet are
more likely to be chosen. A song ends with Calm, Energetic or Repetitive.

Conventions
-----------
A form is a list of (state, number of bars). A section has 1 to 16 bars. Its duration is within the bounds of its state
if a whole number of bars allows it.
"""

from __future__ import annotations

from collections.abc import Collection

import numpy as np

from songform.synth.score.plan import Plan

__all__ = ["SECONDS", "new_form"]

BARS = (1, 2, 3, 4, 5, 6, 8, 10, 12, 16)
FAVOURED = {4: 2.0, 8: 3.0, 16: 1.5}  # weights of the usual numbers of bars; the others have the weight 1

# Minimum and maximum duration of a section of each state, in seconds.
SECONDS = {
    "Calm": (3.5, 28.0),
    "BuildUp": (4.0, 20.0),
    "Energetic": (3.5, 28.0),
    "Transition": (1.2, 5.5),
    "Repetitive": (5.0, 30.0),
}

# Weights of the states that can follow each state. The first section of a song is chosen as after a Transition.
FOLLOWING = {
    "Calm": {"BuildUp": 3.0, "Repetitive": 2.5, "Energetic": 2.0, "Transition": 2.5},
    "BuildUp": {"Energetic": 5.0, "Transition": 1.5, "Repetitive": 2.0, "Calm": 1.5},
    "Energetic": {"Transition": 2.5, "Calm": 2.5, "Repetitive": 2.5, "BuildUp": 2.5},
    "Transition": {"Energetic": 3.0, "Calm": 2.5, "Repetitive": 2.5, "BuildUp": 2.0},
    "Repetitive": {"BuildUp": 3.0, "Energetic": 3.0, "Calm": 2.0, "Transition": 2.0},
}
CLOSING = ("Calm", "Energetic", "Repetitive")
UNHEARD = 3.0  # factor for the weights of states that have not occurred yet
LEAST_STATES = 3
ATTEMPTS = 20


def new_form(rng: np.random.Generator, duration: float, bar_seconds: float, lacking: Collection[str] = ()) -> Plan:
    """Choose sections at random until they fill a duration.

    Parameters
    ----------
    rng : numpy.random.Generator
        Random number generator.
    duration : float
        Minimum duration of the song in seconds.
    bar_seconds : float
        Length of a bar in seconds.
    lacking : collection of str
        States that must not occur. At least one of Calm, Energetic and Repetitive must be allowed.

    Returns
    -------
    Plan
        States and lengths of the sections. They last at least as long as the duration, and the last section is as short
        as possible. If the duration allows it, at least three of the five states occur.
    """
    forms = [_drawn_form(rng, duration, bar_seconds, lacking)]
    while _n_states(forms[-1]) < LEAST_STATES and len(forms) < ATTEMPTS:
        forms.append(_drawn_form(rng, duration, bar_seconds, lacking))
    return max(forms, key=_n_states)


def _n_states(form: Plan) -> int:
    return len({state for state, _ in form})


def _drawn_form(rng: np.random.Generator, duration: float, bar_seconds: float, lacking: Collection[str]) -> Plan:
    """Choose sections until the duration is filled and the last section has a state that can end a song."""
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
    """Choose the state of the next section."""
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
    """Return the possible numbers of bars of a section of a state."""
    shortest, longest = SECONDS[state]
    fitting = [bars for bars in BARS if shortest <= bars * bar_seconds <= longest]
    return fitting or [max(1, int(np.ceil(shortest / bar_seconds)))]


def _n_bars(rng: np.random.Generator, state: str, bar_seconds: float) -> int:
    """Choose the length of a section in bars; lengths that are usual in music are more likely."""
    fitting = _fitting(state, bar_seconds)
    weights = np.array([FAVOURED.get(bars, 1.0) for bars in fitting])
    return int(rng.choice(fitting, p=weights / weights.sum()))

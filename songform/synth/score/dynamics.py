"""How loud a song of the study is, and how much its sections differ.

===========  =======================================================================================
`wide`       Calm far below Energetic, as in film music and ballads
`narrow`     less far, as in most recordings
`loud`       everything loud, and no Calm
`soft`       everything soft, and no Energetic
`mastered`   a leveller makes all sections equally loud: only the texture tells them apart
===========  =======================================================================================
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from songform.synth.score.plan import Levels, Plan

__all__ = ["PROFILES", "Dynamics", "new_dynamics", "section_levels"]

LEAST_RISE = 0.01  # a BuildUp that is to stay equally loud is brought there bar by bar: it has a crescendo of its own
LOUDEST_TURN = 4.0  # above what surrounds a Transition
SHARES = {"wide": 0.3, "narrow": 0.25, "loud": 0.12, "soft": 0.13, "mastered": 0.2}  # of the songs


@dataclass(frozen=True)
class Dynamics:
    """A profile of loudness, all in dB.

    Parameters
    ----------
    ranges : dict of str to tuple of float
        For each state, between which levels its own is drawn, 0 being the loudest.
    rise : tuple of float
        By how much a BuildUp rises at least.
    end : float
        The level at which it ends.
    gain : tuple of float
        Of the song as a whole.
    lacking : tuple of str
        The states that such a song has not.
    evened : bool
        Whether a leveller makes all equally loud in the end.
    """

    ranges: dict[str, tuple[float, float]]
    rise: tuple[float, float]
    end: float
    gain: tuple[float, float]
    lacking: tuple[str, ...] = ()
    evened: bool = False

    def ceiling(self, state: str) -> float:
        """Return the level above which a section of a state would be more than its state says."""
        return 1.0 if state == "Energetic" or self.evened else -1.5


def _ranges(
    calm: tuple[float, float], repetitive: tuple[float, float], transition: tuple[float, float]
) -> dict[str, tuple[float, float]]:
    return {"Calm": calm, "Repetitive": repetitive, "Transition": transition, "Energetic": (-0.5, 0.5)}


PROFILES = {
    "wide": Dynamics(_ranges((-18.0, -12.0), (-10.0, -6.0), (-5.0, -3.0)), (6.0, 12.0), -3.0, (-5.0, 1.0)),
    "narrow": Dynamics(_ranges((-9.0, -6.0), (-6.0, -3.5), (-4.0, -2.0)), (4.0, 8.0), -1.5, (-8.0, 1.0)),
    "loud": Dynamics(_ranges((-5.0, -4.0), (-4.0, -2.5), (-3.0, -1.0)), (3.0, 5.0), -0.5, (0.0, 3.0), ("Calm",)),
    "soft": Dynamics(
        _ranges((-8.0, -5.0), (-4.0, -1.5), (-4.0, -1.5)), (5.0, 9.0), -1.0, (-22.0, -14.0), ("Energetic",)
    ),
    "mastered": Dynamics(
        _ranges((-0.5, 0.5), (-0.5, 0.5), (-0.5, 0.5)), (LEAST_RISE, LEAST_RISE), 0.0, (-4.0, 1.0), evened=True
    ),
}


def new_dynamics(rng: np.random.Generator) -> str:
    """Draw the name of a profile."""
    return str(rng.choice(list(SHARES), p=list(SHARES.values())))


def section_levels(rng: np.random.Generator, dynamics: Dynamics, plan: Plan, shifts: list[float]) -> list[Levels]:
    """Draw the level of each section.

    Parameters
    ----------
    rng : numpy.random.Generator
        Draws one level a state, from which its sections deviate a little.
    dynamics : Dynamics
        The bounds.
    plan : Plan
        The sections.
    shifts : list of float
        How much louder the pattern of each section is than is usual for its state, in dB.

    Returns
    -------
    list of tuple of float
        The level at the start and at the end of each section. A BuildUp rises from below what was before; a
        Transition is not much louder than what surrounds it, and goes half the way down to what comes.
    """
    drawn = {state: float(rng.uniform(*bounds)) for state, bounds in dynamics.ranges.items()}
    rise = float(rng.uniform(*dynamics.rise))
    spread = 0.0 if dynamics.evened else 1.0
    own = [
        min(drawn.get(state, dynamics.end) + spread * (shift + float(rng.uniform(-1.0, 1.0))), dynamics.ceiling(state))
        for (state, _), shift in zip(plan, shifts, strict=True)
    ]
    levels: list[Levels] = []
    for i, (state, _) in enumerate(plan):
        before, after = own[max(i - 1, 0)], own[min(i + 1, len(own) - 1)]
        if state == "BuildUp":
            lowest = dynamics.end if dynamics.evened else (before + drawn["Calm"]) / 2
            levels.append((min(dynamics.end - rise, lowest), dynamics.end))
        elif state == "Transition":
            first = min(own[i], max(before, after) + LOUDEST_TURN)
            levels.append((first, (first + min(first, after)) / 2))
        else:
            levels.append((own[i], own[i]))
    return levels

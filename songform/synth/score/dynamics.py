"""Dynamics of study songs: overall loudness, and differences between the sections.

===========  =======================================================================================
`wide`       Calm is much softer than Energetic, as in film music and ballads.
`narrow`     The difference is smaller, as in most recordings.
`loud`       All sections are loud; there is no Calm.
`soft`       All sections are soft; there is no Energetic.
`mastered`   A leveler makes all sections equally loud, so that they differ only in texture.
===========  =======================================================================================
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from songform.synth.score.plan import Levels, Plan

__all__ = ["PROFILES", "Dynamics", "new_dynamics", "section_levels"]

# Not 0, so that the level is set bar by bar: the notes of a BuildUp become louder, which one gain would not correct.
LEAST_RISE = 0.01
LOUDEST_TURN = 4.0  # maximum level of a Transition above the louder adjacent section
SHARES = {"wide": 0.3, "narrow": 0.25, "loud": 0.12, "soft": 0.13, "mastered": 0.2}  # share of the songs


@dataclass(frozen=True)
class Dynamics:
    """Dynamics profile. Levels are in dB; 0 dB is the level of the loudest sections.

    Parameters
    ----------
    ranges : dict of str to tuple of float
        Bounds of the level of each state.
    rise : tuple of float
        Bounds of the minimum rise of a BuildUp.
    end : float
        Level at the end of a BuildUp.
    gain : tuple of float
        Bounds of the gain of the whole song.
    lacking : tuple of str
        States that do not occur in songs with this profile.
    evened : bool
        Whether the mastering uses a leveler, which makes all sections equally loud.
    """

    ranges: dict[str, tuple[float, float]]
    rise: tuple[float, float]
    end: float
    gain: tuple[float, float]
    lacking: tuple[str, ...] = ()
    evened: bool = False

    def ceiling(self, state: str) -> float:
        """Return the maximum level of a section of a state."""
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
    """Choose the name of a profile at random."""
    return str(rng.choice(list(SHARES), p=list(SHARES.values())))


def section_levels(rng: np.random.Generator, dynamics: Dynamics, plan: Plan, shifts: list[float]) -> list[Levels]:
    """Choose the level of each section at random.

    One level is chosen per state. Without a leveler, sections deviate from it by up to 1 dB and by the shift of their
    pattern.

    Parameters
    ----------
    rng : numpy.random.Generator
        Random number generator.
    dynamics : Dynamics
        Profile with the bounds of the levels.
    plan : Plan
        States and lengths of the sections.
    shifts : list of float
        Level of each section's pattern relative to the usual level of its state, in dB.

    Returns
    -------
    list of tuple of float
        Level at the start and at the end of each section. A BuildUp starts no louder than the mean of the level of Calm
        and that of the preceding section. A Transition starts at most `LOUDEST_TURN` dB above the louder adjacent
        section. If the following section is softer, it falls half of the way to that level.
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

"""Composition of study songs, which vary widely so that results on them generalize better to real music."""

from __future__ import annotations

import numpy as np

from songform.synth.composition import Composition, Passage, Players, Traits, streams
from songform.synth.instruments import new_band
from songform.synth.patterns import PATTERNS, TRANSITION
from songform.synth.rendering.mastering import new_master
from songform.synth.score.dynamics import PROFILES, new_dynamics, section_levels
from songform.synth.score.forms import new_form
from songform.synth.score.notes import Note, humanised
from songform.synth.score.plan import STATES, Plan, new_title
from songform.synth.score.step_times import Clock
from songform.synth.score.themes import new_theme
from songform.synth.section_notes import new_patterns, pattern_levels, scores

__all__ = ["study_composition"]

TEMPI = (60.0, 180.0)  # beats per minute
SECONDS = (60.0, 120.0)  # bounds of the requested duration; the last sections may make a song longer
SWINGS = (0.0, 0.0, 0.0, 0.08, 0.12, 0.16)
WALTZES = 0.2  # share of songs in 3/4
FADING_IN = ("Calm", "Repetitive")  # an Energetic section with a fade-in would sound like a BuildUp


def study_composition(seed: int, sr: int, duration: float | None, players: Players) -> Composition:
    """Compose a study song.

    Parameters
    ----------
    seed, sr, duration : int, int, float or None
        See `songform.synth.study_song`.
    players : mapping of str to tuple of str
        Names of the instruments that can play each role.

    Returns
    -------
    Composition
        The song as notes.
    """
    chance = streams(seed)
    title, dynamics = new_title(chance.form), new_dynamics(chance.form)
    profile = PROFILES[dynamics]
    metre, step = _time(chance.form, sr)
    drawn = float(chance.form.uniform(*SECONDS))
    lacking = _lacking(chance.form, profile.lacking)
    plan = new_form(chance.form, drawn if duration is None else duration, metre * step / sr, lacking)
    patterns = new_patterns(chance.form, plan, _palette(chance.form), metre * step / sr)
    swing = SWINGS[int(chance.form.integers(len(SWINGS)))]
    traits = Traits(15.0 * sr / step, metre // 4, swing, dynamics, *_fades(chance.form, plan, metre * step / sr))
    levels = section_levels(chance.form, profile, plan, pattern_levels(plan, patterns))
    notes = scores(plan, patterns, new_theme(chance.score, metre=metre), traits.bpm, chance.score)
    passages = [
        Passage(state, pattern, written, _clock(state, pattern, step, metre * n_bars, swing), level)
        for (state, n_bars), pattern, written, level in zip(
            plan, patterns, _touched(notes, step / sr, chance.touch), levels, strict=True
        )
    ]
    master = new_master(chance.master, profile.gain, (traits.fade_in, traits.fade_out), evened=profile.evened)
    seed_of_noise = int(chance.master.integers(2**31))
    return Composition(title, traits, passages, new_band(chance.band, players), master, step, seed_of_noise)


def _time(rng: np.random.Generator, sr: int) -> tuple[int, int]:
    """Choose the number of steps per bar and of samples per step; the logarithm of the tempo is uniform."""
    metre = 12 if rng.random() < WALTZES else 16
    slowest, fastest = TEMPI
    return metre, round(sr * 15.0 / (slowest * (fastest / slowest) ** rng.random()))


def _lacking(rng: np.random.Generator, lacking: tuple[str, ...]) -> tuple[str, ...]:
    """Choose the states that do not occur: those that the dynamics exclude, and more at random, up to two in total."""
    wanted = int(rng.choice([0, 1, 2], p=[0.6, 0.25, 0.15]))
    others = [state for state in STATES.values() if state not in lacking]
    drawn = rng.permutation(len(others))[: max(0, wanted - len(lacking))]
    return (*lacking, *(others[i] for i in drawn.tolist()))


def _palette(rng: np.random.Generator) -> dict[str, tuple[str, ...]]:
    """Choose the one to three patterns of each state from which the song's sections are written."""
    names = {state: tuple(patterns) for state, patterns in PATTERNS.items()} | {"Transition": tuple(TRANSITION)}
    return {
        state: tuple(patterns[i] for i in rng.permutation(len(patterns))[: int(rng.integers(1, 4))].tolist())
        for state, patterns in names.items()
    }


def _fades(rng: np.random.Generator, plan: Plan, bar_seconds: float) -> tuple[float, float]:
    """Choose the lengths of the fades, each at most 40 % of its section."""
    (first, first_bars), (_, last_bars) = plan[0], plan[-1]
    fade_in = float(rng.uniform(1.0, 4.0)) if rng.random() < 0.35 and first in FADING_IN else 0.0
    fade_out = float(rng.uniform(2.0, 8.0)) if rng.random() < 0.4 else 0.3
    return min(fade_in, 0.4 * first_bars * bar_seconds), min(fade_out, 0.4 * last_bars * bar_seconds)


def _clock(state: str, pattern: str, step: int, steps: int, swing: float) -> Clock:
    """Create the clock of a section; some patterns of Transition slow down."""
    return Clock(step, steps, swing, TRANSITION[pattern].slowing if state == "Transition" else 0.0)


def _touched(notes: list[list[Note]], step_seconds: float, rng: np.random.Generator) -> list[list[Note]]:
    """Apply human timing and loudness to half of the songs; the other half stays exactly on the grid."""
    if rng.random() < 0.5:
        return notes
    late, louder = float(rng.uniform(0.002, 0.012)), float(rng.uniform(0.3, 1.5))
    return [humanised(written, rng, steps=late / step_seconds, decibels=louder) for written in notes]

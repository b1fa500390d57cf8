"""Songs to study with: whatever music may do, so that what is found on them may hold for songs that nobody composed."""

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

TEMPI = (60.0, 180.0)  # beats a minute
SECONDS = (60.0, 120.0)  # what is drawn; a song is longer by what its last sections need
SWINGS = (0.0, 0.0, 0.0, 0.08, 0.12, 0.16)
WALTZES = 0.2  # the share of songs in 3/4
FADING_IN = ("Calm", "Repetitive")  # an Energetic section that fades in would build up


def study_composition(seed: int, sr: int, duration: float | None, players: Players) -> Composition:
    """Compose a song of the wide distribution from which the study draws.

    Parameters
    ----------
    seed, sr, duration : int, int, float or None
        As for `songform.synth.study_song`.
    players : mapping of str to tuple of str
        Who may play each role.
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
    """Draw the steps of a bar and the samples of a step; slow and fast tempi are as likely on a scale of octaves."""
    metre = 12 if rng.random() < WALTZES else 16
    slowest, fastest = TEMPI
    return metre, round(sr * 15.0 / (slowest * (fastest / slowest) ** rng.random()))


def _lacking(rng: np.random.Generator, lacking: tuple[str, ...]) -> tuple[str, ...]:
    """Draw which states a song has not: those that its dynamics forbid, and none to two in all."""
    wanted = int(rng.choice([0, 1, 2], p=[0.6, 0.25, 0.15]))
    others = [state for state in STATES.values() if state not in lacking]
    drawn = rng.permutation(len(others))[: max(0, wanted - len(lacking))]
    return (*lacking, *(others[i] for i in drawn.tolist()))


def _palette(rng: np.random.Generator) -> dict[str, tuple[str, ...]]:
    """Draw the one to three patterns of each state that a song knows."""
    names = {state: tuple(patterns) for state, patterns in PATTERNS.items()} | {"Transition": tuple(TRANSITION)}
    return {
        state: tuple(patterns[i] for i in rng.permutation(len(patterns))[: int(rng.integers(1, 4))].tolist())
        for state, patterns in names.items()
    }


def _fades(rng: np.random.Generator, plan: Plan, bar_seconds: float) -> tuple[float, float]:
    """Draw fades, in and out, that leave the greater part of the outer sections as it is."""
    (first, first_bars), (_, last_bars) = plan[0], plan[-1]
    fade_in = float(rng.uniform(1.0, 4.0)) if rng.random() < 0.35 and first in FADING_IN else 0.0
    fade_out = float(rng.uniform(2.0, 8.0)) if rng.random() < 0.4 else 0.3
    return min(fade_in, 0.4 * first_bars * bar_seconds), min(fade_out, 0.4 * last_bars * bar_seconds)


def _clock(state: str, pattern: str, step: int, steps: int, swing: float) -> Clock:
    """Make a section's clock; some Transitions slow down."""
    return Clock(step, steps, swing, TRANSITION[pattern].slowing if state == "Transition" else 0.0)


def _touched(notes: list[list[Note]], step_seconds: float, rng: np.random.Generator) -> list[list[Note]]:
    """Let people play in half of the songs; in the other half machines do."""
    if rng.random() < 0.5:
        return notes
    late, louder = float(rng.uniform(0.002, 0.012)), float(rng.uniform(0.3, 1.5))
    return [humanised(written, rng, steps=late / step_seconds, decibels=louder) for written in notes]

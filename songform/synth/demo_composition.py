"""Composition of demo songs: all five states in one of a few forms, moderate tempo, 4/4, simple dynamics."""

from __future__ import annotations

import numpy as np

from songform.synth.composition import Composition, Passage, Players, Traits, streams
from songform.synth.instruments import new_band
from songform.synth.patterns import PATTERNS
from songform.synth.rendering.mastering import Master
from songform.synth.score.plan import new_levels, new_plan, new_title
from songform.synth.score.step_times import Clock
from songform.synth.score.themes import new_theme
from songform.synth.section_notes import new_patterns, scores

__all__ = ["demo_composition"]

TEMPI = (84.0, 140.0)  # beats per minute
METRE = 16
TURNS = ("gestures", "modulation")


def demo_composition(seed: int, sr: int, duration: float, players: Players) -> Composition:
    """Compose a demo song.

    Parameters
    ----------
    seed, sr, duration : int, int, float
        See `songform.synth.compose`.
    players : mapping of str to tuple of str
        Names of the instruments that can play each role.

    Returns
    -------
    Composition
        The song as notes.
    """
    chance = streams(seed)
    title = new_title(chance.form)
    step = round(sr * 15.0 / chance.form.uniform(*TEMPI))
    traits = Traits(15.0 * sr / step, METRE // 4, 0.0, "wide", 0.0, 0.3)
    plan = new_plan(chance.form, duration, METRE * step / sr)
    levels = new_levels(chance.form, plan)
    patterns = new_patterns(chance.form, plan, _palette(chance.form), METRE * step / sr)
    notes = scores(plan, patterns, new_theme(chance.score), traits.bpm, chance.score)
    passages = [
        Passage(state, pattern, written, Clock(step, METRE * n_bars), level)
        for (state, n_bars), pattern, written, level in zip(plan, patterns, notes, levels, strict=True)
    ]
    seed_of_noise = int(chance.master.integers(2**31))
    return Composition(title, traits, passages, new_band(chance.band, players), Master(), step, seed_of_noise)


def _palette(rng: np.random.Generator) -> dict[str, tuple[str, ...]]:
    """Choose one pattern per state, so that a returning section is recognizable."""
    patterns = {state: tuple(of_state) for state, of_state in PATTERNS.items()}
    return {state: (names[int(rng.integers(len(names)))],) for state, names in patterns.items()} | {"Transition": TURNS}

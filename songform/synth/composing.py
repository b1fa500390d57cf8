"""Compositions: all that a seed decides, before anything sounds.

Two ways to compose: for *listening* (`listening_composition`), a small form with all five states in a moderate tempo;
and for the *study* (`study_composition`), anything that music may do. Each part of a composition is drawn from a stream of
its own, so that other instruments play the same notes.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np

from songform.synth.clock import Clock
from songform.synth.dynamics import PROFILES, new_dynamics, section_levels
from songform.synth.forms import CLOSING, new_form
from songform.synth.instruments import Band, new_band
from songform.synth.kinds import KINDS, TRANSITION
from songform.synth.mastering import Master, new_master
from songform.synth.notes import Note, cropped, humanised, stretched
from songform.synth.plan import STATES, Levels, Plan, new_levels, new_plan, new_title
from songform.synth.themes import Theme, modulated, new_theme

__all__ = ["Composition", "Passage", "Traits", "listening_composition", "study_composition"]

Players = Mapping[str, tuple[str, ...]]

LISTENING_TEMPI = (84.0, 140.0)  # beats a minute
LISTENING_TURNS = ("gestures", "modulation")
STUDY_TEMPI = (60.0, 180.0)
STUDY_SECONDS = (60.0, 120.0)  # a song is longer than was drawn by what its last sections need

# The felt tempo of a state: faster or slower music is written for half or twice the tempo.
FELT = {"Calm": 102.0, "BuildUp": 165.0, "Energetic": 182.0, "Repetitive": 150.0}


@dataclass(frozen=True)
class Traits:
    """What a song is like as a whole.

    Parameters
    ----------
    bpm : float
        Beats a minute.
    beats : int
        Beats of a bar: 4 or 3.
    swing : float
        How much later than its middle the second half of a beat begins, as a part of the beat.
    dynamics : str
        `wide`, `narrow`, `loud`, `soft` or `mastered`: see `songform.synth.dynamics`.
    fade_in, fade_out : float
        In seconds.
    """

    bpm: float
    beats: int
    swing: float
    dynamics: str
    fade_in: float
    fade_out: float


@dataclass(frozen=True)
class Passage:
    """A section in notes: its state, the kind of it, when its steps are, and its level at the start and end."""

    state: str
    kind: str
    notes: list[Note]
    clock: Clock
    levels: Levels


@dataclass(frozen=True)
class Composition:
    """A song before anybody has played it."""

    title: str
    traits: Traits
    passages: list[Passage]
    band: Band
    master: Master
    step: int
    bar: int
    seed: int


@dataclass
class _Streams:
    """A source of chance for each thing that is decided."""

    seed: int
    form: np.random.Generator = field(init=False)
    score: np.random.Generator = field(init=False)
    band: np.random.Generator = field(init=False)
    master: np.random.Generator = field(init=False)
    touch: np.random.Generator = field(init=False)

    def __post_init__(self) -> None:
        children = np.random.SeedSequence(self.seed).spawn(5)
        self.form, self.score, self.band, self.master, self.touch = map(np.random.default_rng, children)


def listening_composition(seed: int, sr: int, duration: float, players: Players) -> Composition:
    """Compose a song to listen to: all five states, one kind of each, in a moderate tempo."""
    streams = _Streams(seed)
    rng = streams.form
    title = new_title(rng)
    step = round(sr * 15.0 / rng.uniform(*LISTENING_TEMPI))
    plan = new_plan(rng, duration, 16 * step / sr)
    levels = new_levels(rng, plan)
    palette = {state: (str(rng.choice(list(kinds))),) for state, kinds in KINDS.items()}
    palette["Transition"] = LISTENING_TURNS
    kinds = _kinds(rng, plan, palette)
    traits = Traits(15.0 * sr / step, 4, 0.0, "wide", 0.0, 0.3)
    scores = _scores(plan, kinds, traits, new_theme(streams.score), streams.score)
    clocks = [Clock(step, 16 * n_bars) for _, n_bars in plan]
    passages = _passages(plan, kinds, scores, clocks, levels)
    band = new_band(streams.band, players)
    return Composition(title, traits, passages, band, Master(), step, 16 * step, int(streams.master.integers(2**31)))


def study_composition(seed: int, sr: int, duration: float | None, players: Players) -> Composition:
    """Compose a song of the wide distribution from which the study draws."""
    streams = _Streams(seed)
    rng = streams.form
    title, dynamics = new_title(rng), new_dynamics(rng)
    profile = PROFILES[dynamics]
    metre = 12 if rng.random() < 0.2 else 16
    step = round(sr * 15.0 / float(np.exp(rng.uniform(*np.log(STUDY_TEMPI)))))
    drawn = float(rng.uniform(*STUDY_SECONDS))
    plan = new_form(rng, drawn if duration is None else duration, metre * step / sr, _lacking(rng, profile.lacking))
    palette = {state: _palette(rng, list(kinds)) for state, kinds in (KINDS | {"Transition": TRANSITION}).items()}
    kinds = _kinds(rng, plan, palette)
    swing = float(rng.choice([0.0, 0.0, 0.0, 0.08, 0.12, 0.16]))
    traits = Traits(15.0 * sr / step, metre // 4, swing, dynamics, *_fades(rng, plan, metre * step / sr))
    shifts = [_level_db(state, kind) for (state, _), kind in zip(plan, kinds, strict=True)]
    levels = section_levels(rng, profile, plan, shifts)
    scores = _scores(plan, kinds, traits, new_theme(streams.score, metre=metre), streams.score)
    scores = _touched(scores, step / sr, streams.touch)
    clocks = [
        Clock(step, metre * n_bars, swing, TRANSITION[kind].slowing if state == "Transition" else 0.0)
        for (state, n_bars), kind in zip(plan, kinds, strict=True)
    ]
    passages = _passages(plan, kinds, scores, clocks, levels)
    master = new_master(streams.master, profile.gain, (traits.fade_in, traits.fade_out), evened=profile.evened)
    band = new_band(streams.band, players)
    return Composition(title, traits, passages, band, master, step, metre * step, int(streams.master.integers(2**31)))


def _lacking(rng: np.random.Generator, lacking: tuple[str, ...]) -> tuple[str, ...]:
    """Draw which states a song has not: those that its dynamics forbid, and none to two in all."""
    wanted = int(rng.choice([0, 1, 2], p=[0.6, 0.25, 0.15]))
    others = [state for state in STATES.values() if state not in lacking]
    drawn = rng.permutation(others)[: max(0, wanted - len(lacking))].tolist()
    return (*lacking, *map(str, drawn))


def _palette(rng: np.random.Generator, kinds: list[str]) -> tuple[str, ...]:
    """Draw the one to three kinds of a state that a song knows."""
    return tuple(map(str, rng.permutation(kinds)[: int(rng.integers(1, 4))]))


def _kinds(rng: np.random.Generator, plan: Plan, palette: Mapping[str, tuple[str, ...]]) -> list[str]:
    """Draw the kind of each section; a long Transition is made of gestures."""
    kinds = [str(rng.choice(palette[state])) for state, _ in plan]
    return [
        "gestures" if state == "Transition" and n_bars > TRANSITION[kind].longest else kind
        for (state, n_bars), kind in zip(plan, kinds, strict=True)
    ]


def _level_db(state: str, kind: str) -> float:
    return TRANSITION[kind].level_db if state == "Transition" else KINDS[state][kind].level_db


def _fades(rng: np.random.Generator, plan: Plan, bar_seconds: float) -> tuple[float, float]:
    """Draw fades that leave the greater part of the outer sections as it is; a rise in loudness is no fade."""
    first, last = plan[0], plan[-1]
    fade_in = float(rng.uniform(1.0, 5.0)) if rng.random() < 0.25 and first[0] in CLOSING[::2] else 0.0
    fade_out = float(rng.uniform(2.0, 8.0)) if rng.random() < 0.4 else 0.3
    return min(fade_in, 0.4 * first[1] * bar_seconds), min(fade_out, 0.4 * last[1] * bar_seconds)


def _scores(plan: Plan, kinds: list[str], traits: Traits, theme: Theme, rng: np.random.Generator) -> list[list[Note]]:
    """Write the notes of every section. A Transition may change the theme; what was heard may come again."""
    scores = []
    remembered: dict[tuple[str, str], int] = {}
    for (state, n_bars), kind in zip(plan, kinds, strict=True):
        if state == "Transition":
            before, theme = theme, modulated(theme, rng) if rng.random() < 0.6 else theme
            scores.append(TRANSITION[kind].write(before, theme, n_bars, rng))
            continue
        fresh = int(rng.integers(2**32))
        seed = remembered.setdefault((state, kind), fresh) if rng.random() < 0.5 else fresh
        scores.append(_written(theme, state, kind, n_bars, traits.bpm, np.random.default_rng(seed)))
    return scores


def _written(theme: Theme, state: str, kind: str, n_bars: int, bpm: float, rng: np.random.Generator) -> list[Note]:
    """Write a section for the tempo at which its state is felt."""
    stretch = 1.0
    while bpm / stretch > FELT[state]:
        stretch *= 2
    while bpm / stretch <= FELT[state] / 2:
        stretch /= 2
    notes = KINDS[state][kind].write(theme, int(np.ceil(n_bars / stretch)), rng)
    return cropped(stretched(notes, stretch), theme.metre * n_bars)


def _touched(scores: list[list[Note]], step_seconds: float, rng: np.random.Generator) -> list[list[Note]]:
    """Let people play, in half of the songs; in the other half machines do."""
    if rng.random() < 0.5:
        return scores
    late, louder = float(rng.uniform(0.002, 0.012)), float(rng.uniform(0.3, 1.5))
    return [humanised(notes, rng, steps=late / step_seconds, decibels=louder) for notes in scores]


def _passages(
    plan: Plan, kinds: list[str], scores: list[list[Note]], clocks: list[Clock], levels: list[Levels]
) -> list[Passage]:
    """Put together what belongs to each section."""
    states = [state for state, _ in plan]
    return [Passage(*parts) for parts in zip(states, kinds, scores, clocks, levels, strict=True)]

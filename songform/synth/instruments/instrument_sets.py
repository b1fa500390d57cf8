"""Instrument sets, and the random choice of a song's band from one of them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from songform.synth.instruments.additive import ADDITIVE
from songform.synth.instruments.distorted import DISTORTED
from songform.synth.instruments.fm import FM
from songform.synth.instruments.formant import FORMANT
from songform.synth.instruments.instrument import Instrument
from songform.synth.instruments.modal import MODAL
from songform.synth.instruments.plucked import PLUCKED
from songform.synth.instruments.subtractive import SUBTRACTIVE
from songform.synth.instruments.swept_sine import SWEPT

__all__ = ["ROLES", "SETS", "Band", "InstrumentSet", "new_band"]

Band = Mapping[str, str]

ROLES = (
    # Tones: slow chords (pad), slow melodies (voice), soft broken chords (keys), short notes of loops (loop), fast
    # melodies (lead), struck chords (chords), bass, orchestral chords (strings, brass), power chords (crunch), single
    # high tones (chime).
    *("pad", "voice", "keys", "loop", "lead", "chords", "bass", "strings", "brass", "crunch", "chime"),
    # Drums and effects.
    *("kick", "snare", "clap", "tom", "hat", "open_hat", "shaker", "crash", "boom", "reverse", "riser"),
)


@dataclass(frozen=True)
class InstrumentSet:
    """Set of instruments.

    Parameters
    ----------
    instruments : mapping of str to Instrument
        Instruments by name.
    players : mapping of str to tuple of str
        For each of `ROLES`, names of the instruments that can play it.
    """

    instruments: Mapping[str, Instrument]
    players: Mapping[str, tuple[str, ...]]


def new_band(rng: np.random.Generator, players: Mapping[str, tuple[str, ...]]) -> Band:
    """Choose the instrument of each role at random."""
    return {role: players[role][rng.integers(len(players[role]))] for role in ROLES}


STUDY = InstrumentSet(
    instruments=SUBTRACTIVE | ADDITIVE | SWEPT,
    players={
        "pad": ("strings", "choir", "organ"),
        "voice": ("flute", "clarinet", "violin", "tines"),
        "keys": ("piano", "tines", "nylon"),
        "loop": ("nylon", "marimba", "blip", "dulcimer", "tines"),
        "lead": ("brass", "reeds", "saws"),
        "chords": ("stab", "saws", "drawbars"),
        "bass": ("sub", "growl", "hollow"),
        "strings": ("bows",),
        "brass": ("brass",),
        "crunch": ("fuzz",),
        "chime": ("bell",),
        "kick": ("kick", "deep kick"),
        "snare": ("snare", "tight snare"),
        "clap": ("clap",),
        "tom": ("tom",),
        "hat": ("hat", "long hat"),
        "open_hat": ("open hat",),
        "shaker": ("shaker",),
        "crash": ("crash",),
        "boom": ("boom",),
        "reverse": ("reverse",),
        "riser": ("riser",),
    },
)

UNSEEN = InstrumentSet(
    instruments=FM | PLUCKED | FORMANT | DISTORTED | MODAL,
    players={
        "pad": ("fm pad", "voices", "boys", "glass", "pipes"),
        "voice": ("singer", "humming", "fm reed", "fm epiano"),
        "keys": ("fm epiano", "harp"),
        "loop": ("steel guitar", "harp", "koto", "fm kalimba", "fm clav"),
        "lead": ("fm brass", "fm lead", "bent lead"),
        "chords": ("bent stab", "steel guitar", "fm clav"),
        "bass": ("string bass", "bent bass", "fm clang"),
        "strings": ("bowed", "chant"),
        "brass": ("fm brass",),
        "crunch": ("distorted guitar", "overdriven guitar"),
        "chime": ("fm bell",),
        "kick": ("thud", "skin kick"),
        "snare": ("gated snare", "coarse snare"),
        "clap": ("wood", "coarse snare"),
        "tom": ("conga",),
        "hat": ("metal hat", "coin hat"),
        "open_hat": ("open metal",),
        "shaker": ("coin hat", "metal hat"),
        "crash": ("plate",),
        "boom": ("timpano",),
        "reverse": ("backwards",),
        "riser": ("siren",),
    },
)

SETS: dict[str, InstrumentSet] = {"study": STUDY, "unseen": UNSEEN}

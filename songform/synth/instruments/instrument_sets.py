"""Instrument sets, and the random choice of a song's band from one of them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from songform.synth.instruments.additive import ADDITIVE
from songform.synth.instruments.comb_filter import COMB_FILTER
from songform.synth.instruments.distorted import DISTORTED
from songform.synth.instruments.fm import FM
from songform.synth.instruments.formant import FORMANT
from songform.synth.instruments.granular import GRANULAR
from songform.synth.instruments.instrument import Instrument
from songform.synth.instruments.modal import MODAL
from songform.synth.instruments.plucked import PLUCKED
from songform.synth.instruments.pulse_width import PULSE_WIDTH
from songform.synth.instruments.ring_modulation import RING_MODULATION
from songform.synth.instruments.subtractive import SUBTRACTIVE
from songform.synth.instruments.swept_sine import SWEPT
from songform.synth.instruments.waveguide import WAVEGUIDE
from songform.synth.instruments.waveshaping import WAVESHAPING

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

REFERENCE = InstrumentSet(
    instruments=PULSE_WIDTH | WAVEGUIDE | WAVESHAPING | RING_MODULATION | GRANULAR | COMB_FILTER,
    players={
        "pad": ("chalumeaux", "shaped pad", "cloud", "shimmer"),
        "voice": ("chalumeau", "bowed solo", "shaped horn", "mist"),
        "keys": ("ring tines", "shaped piano"),
        "loop": ("pulse pluck", "ring bars", "shaped clav", "shaped piano"),
        "lead": ("pulse lead", "square lead", "shaped trumpet", "reed pipe"),
        "chords": ("pulse stab", "shaped stab", "ring organ"),
        "bass": ("triangle bass", "pulse bass", "shaped bass"),
        "strings": ("bowed ensemble", "pulse ensemble"),
        "brass": ("shaped trumpet", "shaped trombone"),
        "crunch": ("shaped fuzz", "shaped fifth"),
        "chime": ("ring bell", "ring glass"),
        "kick": ("shaped kick", "comb kick"),
        "snare": ("comb snare", "tight comb snare", "ring snare"),
        "clap": ("comb clap",),
        "tom": ("comb tom",),
        "hat": ("comb hat", "ring hat"),
        "open_hat": ("comb open hat", "ring open hat"),
        "shaker": ("bean shaker",),
        "crash": ("comb crash",),
        "boom": ("comb boom", "shaped boom"),
        "reverse": ("comb reverse",),
        "riser": ("comb riser", "grain riser"),
    },
)

SETS: dict[str, InstrumentSet] = {"study": STUDY, "unseen": UNSEEN, "reference": REFERENCE}

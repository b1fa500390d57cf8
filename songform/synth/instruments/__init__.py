"""Two sets of instruments that have nothing in common: one to study with, one that the study never hears.

A set says who may play each *role*: what a score writes for (`pad`, `lead`, `snare`, ...), without saying on what.

==========  ===========================================================================================
`study`     subtractive tones, additive tones, drums of swept sines and filtered noise
`unseen`    FM, plucked strings, sung formants, phase distortion, wavetables; drums by modes and of sampled noise
==========  ===========================================================================================
"""

from __future__ import annotations

from songform.synth.instruments.instrument import Instrument, Samples, Stroke
from songform.synth.instruments.instrument_sets import ROLES, SETS, Band, InstrumentSet, new_band

__all__ = ["ROLES", "SETS", "Band", "Instrument", "InstrumentSet", "Samples", "Stroke", "new_band"]

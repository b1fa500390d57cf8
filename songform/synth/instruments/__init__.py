"""Three sets of instruments with no instrument in common.

Parameters of songform are chosen on songs with the set `study`. The set `unseen` tests how well they generalize to
other sounds. The set `reference` is neither used to choose parameters nor to train a model: models are compared on its
songs. A score is written for *roles* (`pad`, `lead`, `snare`, ...); each set lists the instruments that can play each
role.

===========  ==========================================================================================================
`study`      Subtractive and additive synthesis; drums from swept sines and filtered noise.
`unseen`     FM, plucked strings, formants, phase distortion, wavetables; drums from modal synthesis and sampled noise.
`reference`  Pulse widths, waveguides, waveshaping, ring modulation, grains; drums also from comb filters.
===========  ==========================================================================================================
"""

from __future__ import annotations

from songform.synth.instruments.instrument import Instrument, Samples, Stroke
from songform.synth.instruments.instrument_sets import ROLES, SETS, Band, InstrumentSet, new_band

__all__ = ["ROLES", "SETS", "Band", "Instrument", "InstrumentSet", "Samples", "Stroke", "new_band"]

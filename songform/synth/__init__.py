"""Synthetic songs with known form.

A song is generated from a seed, which determines tempo, instruments, keys, chords, melodies and form. The songs have
the musical features on which the analysis of form relies, and their true state is known at every moment. They serve as
a demo, as test data and as ground truth for scores.

=============  ===========================================================================================
state          what a listener hears
=============  ===========================================================================================
`Calm`         Soft and smooth: a pad, a solo voice, broken chords, a chorale or a drone; no drums.
`BuildUp`      Increasingly dense, bright and usually loud; the bass drops out.
`Energetic`    The full band plays; the melody on top never repeats exactly.
`Transition`   The structure changes: a fill, break, swell, pause, modulation or ritardando.
`Repetitive`   A loop of at most four bars, repeated exactly, with or without drums.
=============  ===========================================================================================

`compose` and `playlist` generate demo songs for listening, with all five states in a simple form. `study_song` and
`study_songs` generate study songs, which vary much more in tempo, form, patterns and dynamics. Both kinds use one of
three sets of instruments, which have no instrument in common.

Modules:

==================  ==================================================================================================
`score/`            Musical material: `plan` and `forms` (order and length of the sections), `themes` (keys and
                    chords), `melodies`, `rhythms`, `dynamics` and `notes`.
`patterns/`         Several patterns for each state, which write notes. `section_notes` applies them to all sections.
`instruments/`      The three sets of instruments, which turn notes into sound.
`rendering/`        `note_player`, `mixing` and `mastering`.
`composition`       Everything that a seed determines, made by `demo_composition` or `study_composition`.
`contrast`          Reduces the differences of loudness of a composition.
`song_assembly`     Joins the sections into a song.
`songs`             The public functions.
==================  ==================================================================================================

Conventions
-----------
Times are in seconds. Sections consist of whole bars of 4/4 or 3/4; they cover the song without gaps or overlaps. A step
(a sixteenth note) is a whole number of samples, so a loop repeats with sample accuracy, unless human timing is
simulated. The same seed gives the same samples.
"""

from __future__ import annotations

from songform.synth.sections import Section, states_at
from songform.synth.songs import Song, compose, finished, playlist, study_song, study_songs

__all__ = [
    "VERSION",
    "Section",
    "Song",
    "compose",
    "finished",
    "playlist",
    "states_at",
    "study_song",
    "study_songs",
]

VERSION = 2  # increase this when a seed gives a different song, so that stored measurements are repeated

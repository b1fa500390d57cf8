"""Composed songs whose form is known.

A song is drawn from a seed: its tempo, band, keys, chords, tunes and form. It is music-like in what matters to the
search for form, and its true state is known at every moment: so it can show, test and judge what was found.

=============  ============================================================  =====================================
state          what a listener hears                                         level against Energetic
=============  ============================================================  =====================================
`Calm`         soft chords under a slow tune, no drums                       -18 to -14.5 dB
`BuildUp`      ever denser, brighter and higher, and the bass taken out      from well below what was, to -3.5 dB
`Energetic`    the whole band: kit, bass, chords, a lead that never repeats  0 dB
`Transition`   fills, stops and breaks, on the way to another key            -5 to -3 dB, then towards what comes
`Repetitive`   one bar or two, sparse, again and again and exactly           -9 to -7 dB
=============  ============================================================  =====================================

How a song is made, a module each: a `plan` (the order, length and level of its sections), `themes` (keys, chords)
and `melodies`, a `score` and `transitions` (what each state is made of, in notes), `tones` and `drums` (how the notes
sound), the `mixing`; and `songs`, which puts them together.

Conventions
-----------
Times are in seconds. Sections are whole bars of 4/4; they meet end to start and partition the song. A step (a sixteenth
note) is a whole number of samples, so a loop repeats to the sample. The same seed gives the same samples.
"""

from __future__ import annotations

from songform.synth.songs import Section, Song, compose, finished, playlist, states_at, study_song, study_songs

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

VERSION = 2  # counts up when a seed gives another song: what was measured on the old one is then measured anew

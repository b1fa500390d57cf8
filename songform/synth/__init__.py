"""Composed songs whose form is known.

A song is drawn from a seed: its tempo, band, keys, chords, tunes and form. It is music-like in what matters to the
search for form, and its true state is known at every moment: so it can show, test and judge what was found.

=============  ===========================================================================================
state          what a listener hears
=============  ===========================================================================================
`Calm`         soft and smooth: a pad, a voice alone, broken chords, a chorale, a drone; no drums
`BuildUp`      ever denser and brighter, mostly louder, and the bass taken out
`Energetic`    everybody plays, and the tune on top is never twice the same
`Transition`   the structure turns: a fill, a break, a swell, a pause, a modulation, a ritardando
`Repetitive`   a loop of half a bar to four bars, again and again, with drums or without
=============  ===========================================================================================

`compose` and `playlist` make songs to listen to: all five states, in a small form. `study_song` and `study_songs` draw
from all that music may do. Both play on one of two sets of instruments that have nothing in common.

How a song is made, folder by folder:

==================  ==================================================================================================
`score/`            before anything sounds: the `plan` or a free one of the `forms` (which sections), `themes` (keys and
                    chords), `melodies`, `rhythms`, `dynamics`, and `notes`
`patterns/`         several ways to write each state as notes; `section_notes` writes all sections with them
`instruments/`      two sets of instruments, which turn notes into sound
`rendering/`        `note_player`, `mixing` and `mastering`
`composition`       all that a seed decides: `demo_composition` for songs to listen to, `study_composition` for songs to
                    study
`song_assembly`     joins the sections to a song; `songs` puts everything together
==================  ==================================================================================================

Conventions
-----------
Times are in seconds. Sections are whole bars of 4/4 or 3/4; they meet end to start and partition the song. A step (a
sixteenth note) is a whole number of samples, so a loop that machines play repeats to the sample. The same seed gives
the same samples.
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

VERSION = 2  # counts up when a seed gives another song: what was measured on the old one is then measured anew

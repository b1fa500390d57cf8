"""Golden values of composed songs: their sections and traits, and their samples."""

from __future__ import annotations

import numpy as np
import pytest

from songform import synth

SR = 8000
SONGS = {
    "composed": lambda: synth.compose(3, sr=SR, duration=12.0),
    "composed_unseen": lambda: synth.compose(3, sr=SR, duration=5.0, instruments="unseen"),
    "composed_reference": lambda: synth.compose(3, sr=SR, duration=5.0, instruments="reference"),
    "composed_study": lambda: synth.study_song(4, sr=SR, duration=12.0),
}


@pytest.mark.parametrize("name", SONGS)
def test_composed_song_matches_stored_values(golden, name):
    """For each tenth of a second, the level and one sample are compared."""
    song = SONGS[name]()
    tenths = song.y[: len(song.y) // 800 * 800].reshape(-1, 800)
    output = {
        "title": song.title,
        "n_samples": len(song.y),
        "sections": [vars(section) for section in song.sections],
        "traits": vars(song.traits),
        "levels": np.sqrt(np.mean(tenths.astype(np.float64) ** 2, axis=1)),
        "samples": tenths[:, 400],
    }
    golden.check(name, [synth], output, tolerance=1e-3)

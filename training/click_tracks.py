"""Click tracks with known beats, from seeds: steady, drifting, jumping and swinging tempo, 3/4 and 4/4.

They train the network to find beats without harmony and without drums. Half of the tracks begin with silence, some have
clicks between the beats, and some have no accents, so that their downbeats cannot be heard.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from songform.features.extraction import SongExtractor
from songform.features.frame_features import feature_table
from songform.synth import compose
from training.labeled_songs import LabeledSong, TrueBeats

__all__ = ["click_tracks", "composed_songs", "described"]

SR = 22050
SLOWEST, FASTEST = 54.0, 205.0  # beats per minute
Array = NDArray[np.float64]


def click_tracks(n_tracks: int, seed: int) -> Iterator[LabeledSong]:
    """Yield click tracks of 30 to 75 s."""
    for number in range(n_tracks):
        rng = np.random.default_rng([seed, number])
        seconds = rng.uniform(30, 75)
        tempo = rng.choice(["steady", "steady", "drifts", "jumps", "swings"])
        times = _beat_times(rng, tempo, seconds)
        metre, has_accents = int(rng.choice([3, 4])), bool(rng.random() < 0.6)
        positions = (np.arange(len(times)) + rng.integers(metre)) % metre + 1
        beats = TrueBeats(times, positions, has_accents)
        yield described(f"click track {number}", _rendered(rng, beats, seconds, swings=tempo == "swings"), beats)


def composed_songs(n_songs: int, seed: int) -> Iterator[LabeledSong]:
    """Yield songs that songform composes, of 70 s, with their true beats."""
    for number in range(n_songs):
        song = compose(seed + number, duration=70.0)
        times = np.arange(0, len(song.y) / SR, 60 / song.traits.bpm)
        beats = TrueBeats(times, np.arange(len(times)) % song.traits.beats + 1)
        yield described(f"composed {song.title}", song.y, beats)


def described(name: str, y: NDArray[np.floating], beats: TrueBeats) -> LabeledSong:
    """Compute the tables of a signal at 22,050 Hz."""
    extractor = SongExtractor(SR, with_semitones=True)
    rows = [extractor.push(np.asarray(y, np.float32)), extractor.flush()]
    features = feature_table(rows, extractor.columns)
    return LabeledSong(
        name, features, extractor.overview(), extractor.semitone_spectrum(), extractor.n_samples / SR, beats
    )


def _beat_times(rng: np.random.Generator, tempo: str, seconds: float) -> Array:
    bpm = np.exp2(rng.uniform(np.log2(SLOWEST), np.log2(FASTEST)))
    depth, moment, jump = rng.uniform(-0.05, 0.05), rng.uniform(0.3, 0.7), rng.choice([0.8, 0.85, 0.9, 1.1, 1.15, 1.25])
    times = [rng.uniform(0, 6) if rng.random() < 0.5 else rng.uniform(0, 0.5)]
    while times[-1] < seconds:
        place = times[-1] / seconds
        drift = 1 + depth * np.sin(2 * np.pi * place) if tempo == "drifts" else 1
        changed = jump if tempo == "jumps" and place > moment else 1
        times.append(times[-1] + 60 / (bpm * drift * changed))
    return np.array(times[:-1])


def _rendered(rng: np.random.Generator, beats: TrueBeats, seconds: float, *, swings: bool) -> NDArray[np.float32]:
    y = np.zeros(int(seconds * SR))
    sound, accent = _hit(rng, rng.integers(3)), _hit(rng, rng.integers(3))
    loudness = rng.uniform(0.1, 0.5)
    parts = [2 / 3] if swings else [part / n for n in rng.choice([1, 1, 2, 2, 3, 4], 1) for part in range(1, n)]
    gaps = np.append(np.diff(beats.times), 0)
    for time, gap, position in zip(beats.times, gaps, beats.positions, strict=True):
        _add(y, time, accent if beats.has_accents and position == 1 else 0.6 * sound)
        for part in parts if gap else []:
            _add(y, time + part * gap, 0.6 * loudness * sound)
    noise = rng.normal(size=len(y)) * (10 ** -rng.uniform(3, 5) if rng.random() < 0.7 else 0)
    return (y + noise).astype(np.float32)


def _hit(rng: np.random.Generator, kind: int) -> Array:
    """Return a burst of noise (0), a short tone (1) or a drum (2)."""
    n = int(SR * rng.uniform(0.02, 0.12))
    t = np.arange(n) / SR
    noise = rng.normal(size=n)
    if kind == 0:
        sound = noise
    elif kind == 1:
        sound = np.sin(2 * np.pi * rng.choice([220, 440, 880, 1000, 1500]) * t)
    else:
        sound = np.sin(2 * np.pi * 80 * t) + 0.3 * noise
    hit: Array = np.exp(-t / rng.uniform(0.005, 0.03)) * sound
    return hit


def _add(y: Array, time: float, sound: Array) -> None:
    start = int(time * SR)
    n = min(len(sound), len(y) - start)
    if n > 0:
        y[start : start + n] += sound[:n]

"""Beats and sections of labeled songs, compared with people, with baselines and with true beats.

`benchmarks.study` prints these tables, too; ``python -m benchmarks.study.sections FOLDER`` prints nothing else.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Sequence
from itertools import chain
from pathlib import Path

import librosa
import numpy as np
from numpy.typing import NDArray

from benchmarks.study.songs import Described, labelled_songs
from songform.annotation.annotations import Annotation, partition
from songform.annotation.beat_scores import beat_f_measure
from songform.annotation.segmentation_scores import song_scores
from songform.beats.beat_tracking import Beats, find_beats
from songform.sections.section_finding import Sections, SongPart, find_sections

__all__ = ["print_sections"]

MEASURES = {
    "boundary_f_0.5": "F at 0.5 s",
    "boundary_f_3": "F at 3 s",
    "trimmed_f_0.5": "trimmed F at 0.5 s",
    "trimmed_f_3": "trimmed F at 3 s",
    "pairwise_f": "pairwise F",
    "v_f": "V",
}
ROWS = {
    "sections": "sections",
    "phrases": "phrases",
    "every_20_s": "a boundary every 20 s",
    "one_section": "the song as one section",
    "people": "each person compared with the other",
}
N_RESAMPLES = 2000
HIT_SECONDS = 0.5


def print_sections(songs: Sequence[Described]) -> None:
    """Print the scores of beats and sections, and how well the confidence of boundaries is calibrated.

    Parameters
    ----------
    songs : sequence of Described
        Songs that people labeled, with their semitone spectra.
    """
    found = [_found(song) for song in songs]
    _print_beats(songs, [beats for beats, _, _ in found])
    with_sections = [(song, parts) for song, (_, parts, _) in zip(songs, found, strict=True) if parts.sections]
    print(
        f"\nSections of {len(with_sections)} of {len(songs)} labeled songs; in brackets the 95 % interval of the mean\n"
    )
    print(f"| segments | {' | '.join(MEASURES.values())} |\n|---|{'--:|' * len(MEASURES)}")
    scores = [_scores(song, parts) for song, parts in with_sections]
    for who, words in ROWS.items():
        rows = np.array([[score[who][name] for name in MEASURES] for score in scores if who in score])
        if len(rows):
            print(f"| {words} | {' | '.join(_with_interval(column) for column in rows.T)} |")
    _print_calibration(with_sections)
    seconds = sum(seconds for _, _, seconds in found) / sum(song.duration for song in songs) * 240
    print(f"\nBeats and sections of four minutes took {seconds:.2f} s.")


def _found(song: Described) -> tuple[Beats, Sections, float]:
    """Return the beats and sections of a song, and the processor time in seconds."""
    began = time.process_time()
    beats = find_beats(song.features, song.overview, song.spectrum)
    sections = find_sections(song.features, song.spectrum, beats, song.duration)
    return beats, sections, time.process_time() - began


def _print_beats(songs: Sequence[Described], found: Sequence[Beats]) -> None:
    """Print the scores of the beats, and those of librosa's beat tracker on the same onset strength."""
    rows = [_beat_scores(song, beats) for song, beats in zip(songs, found, strict=True) if song.beats is not None]
    if rows:
        print(f"\nBeats of {len(rows)} songs\n\n| measure | mean | songs with at least 0.9 |\n|---|--:|--:|")
        names = (
            "beats, F",
            "beats, F, if half and double the tempo are right as well",
            "beats of librosa.beat.beat_track, F",
            "downbeats, F",
            "metre is right",
        )
        for name, column in zip(names, np.array(rows).T, strict=True):
            if len(known := column[~np.isnan(column)]):
                print(f"| {name} | {_with_interval(known)} | {np.mean(known >= 0.9):.2f} |")


def _beat_scores(song: Described, beats: Beats) -> tuple[float, float, float, float, float]:
    """Return the scores of beats, twice, of librosa's beats, of downbeats and of the metre; NaN if they are unknown."""
    truth = song.beats
    within = float(truth.times[0]), float(truth.times[-1])
    _, by_librosa = librosa.beat.beat_track(onset_envelope=song.overview.onset, units="time")
    at_any_tempo = max(beat_f_measure(truth.times, times, within=within) for times in _tempo_variants(beats.times))
    of_songform, of_librosa = (beat_f_measure(truth.times, times, within=within) for times in (beats.times, by_librosa))
    of_beats = of_songform, at_any_tempo, of_librosa
    if truth.positions is None:
        return *of_beats, np.nan, np.nan
    downbeats = beat_f_measure(truth.downbeats, beats.downbeats, within=within)
    return *of_beats, downbeats, float(beats.metre == truth.positions.max())


def _tempo_variants(times: NDArray[np.float64]) -> list[NDArray[np.float64]]:
    """Return beats, those at half the tempo that begin with the first or the second beat, and those at double tempo."""
    between = np.arange(0, max(len(times) - 0.5, 0), 0.5)
    doubled = np.interp(between, np.arange(len(times)), times) if len(times) else times
    return [times, times[::2], times[1::2], doubled]


def _scores(song: Described, found: Sections) -> dict[str, dict[str, float]]:
    people = {str(number): person for number, person in enumerate(song.people)}
    scores = song_scores(people, _annotation(found.sections, song.duration), song.duration)
    phrases = song_scores(people, _annotation(found.phrases, song.duration), song.duration)
    return {**scores, "sections": scores["songform"], "phrases": phrases["songform"]}


def _annotation(parts: Sequence[SongPart], duration: float) -> Annotation:
    intervals = np.array([(part.start, part.end) for part in parts])
    return Annotation(intervals, [part.label for part in parts], duration=duration)


def _print_calibration(songs: Sequence[tuple[Described, Sections]]) -> None:
    """Print how often people heard the boundaries of sections, by their confidence."""
    pairs = np.array(list(chain.from_iterable(_confidences(song, found) for song, found in songs))).reshape(-1, 2)
    print("\nBoundaries of sections by confidence: the share of people who have one within 0.5 s\n")
    print("| confidence | boundaries | mean confidence | share of people |\n|---|--:|--:|--:|")
    fifth = np.minimum(pairs[:, 0] // 0.2, 4)
    for number in range(5):
        low, inside = 0.2 * number, pairs[fifth == number]
        if len(inside):
            mean, share = inside.mean(axis=0)
            print(f"| {low:.1f} to {low + 0.2:.1f} | {len(inside)} | {mean:.2f} | {share:.2f} |")


def _confidences(song: Described, found: Sections) -> list[tuple[float, float]]:
    """Return the confidence of each boundary within the song, and the share of people who heard it."""
    people = [partition(person, song.duration).intervals[1:, 0] for person in song.people]
    return [
        (part.confidence, float(np.mean([np.any(np.abs(heard - part.start) <= HIT_SECONDS) for heard in people])))
        for part in found.sections[1:]
    ]


def _with_interval(values: NDArray[np.float64]) -> str:
    """Return the mean of a measure over songs, with its 95 % interval from a bootstrap over the songs."""
    rng = np.random.default_rng(0)
    means = values[rng.integers(len(values), size=(N_RESAMPLES, len(values)))].mean(axis=1)
    low, high = np.quantile(means, [0.025, 0.975])
    return f"{values.mean():.3f} ({low:.2f}–{high:.2f})"


if __name__ == "__main__":
    print_sections(labelled_songs(Path(sys.argv[1])))

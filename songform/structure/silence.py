"""Digital silence: parts of a song without any sound, which belong to no state.

Silence before a song, after it, or before a hidden track is not music, so no state describes it. Such a part is a
segment with the label `SILENCE`. A pause within the music and a fade-out belong to the states around them.

Conventions
-----------
Times are in seconds. A span of silence is found in steps of one hop: a frame is silent only if all of its samples are,
so a span begins with the first sample of its first frame and ends with the last sample of its last frame.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np
from numpy.typing import NDArray

from songform.structure.pooling import UNIT_SECONDS
from songform.structure.segments import Segment

__all__ = ["MIN_SECONDS", "SILENCE", "SILENT_RMS", "VERSION", "silence_seconds", "silent_spans", "with_silence"]

VERSION = 1  # increase this when the silence in the same features changes

SILENCE = "Silence"
"""Label of silent segments, which is not the name of a state."""

MIN_SECONDS = 2.0
"""A shorter silence is a pause of the music."""

# One step of 16 bits, or -90 dBFS. Zeros that were encoded as MP3, MP2, AAC, Opus, Vorbis, AC-3 or FLAC and decoded by
# libsndfile or ffmpeg have an RMS of 0 again. Zeros with dither have 0.25 to 0.7 steps, before and after such an
# encoding, and must count as silence, too. The hiss of tapes and microphones has at least 5 steps (-75 dBFS).
SILENT_RMS = 2.0**-15
"""RMS below which a frame is silent; full scale is 1."""

Array = NDArray[np.float64]


def silent_spans(
    rms: NDArray[np.floating], *, sr: float, hop_length: int, frame_length: int, duration: float
) -> list[tuple[float, float]]:
    """Return the start and the end of each digital silence that is longer than `MIN_SECONDS`.

    Parameters
    ----------
    rms : np.ndarray, shape=(n_frames,)
        RMS of each frame: the column `rms_mean` of the frame features.
    sr : float > 0
        Sampling rate in Hz.
    hop_length, frame_length : int
        Distance between the centers of successive frames, and length of a frame, in samples.
    duration : float > 0
        Duration of the song in seconds.

    Returns
    -------
    list of tuple of float
        Start and end of each span in seconds, in order and without overlaps. Neither is outside of the silence, and
        both are at most one hop from where the silence really begins and ends.
    """
    is_silent = np.r_[False, rms < SILENT_RMS, False]
    first, after = np.flatnonzero(is_silent[1:] != is_silent[:-1]).reshape(-1, 2).T
    starts = np.maximum(first * hop_length - frame_length // 2, 0) / sr
    ends = np.minimum(((after - 1) * hop_length + frame_length // 2) / sr, duration)
    ends[after == len(rms)] = duration  # the song may end slightly after its last frame
    spans = _merged(zip(starts.tolist(), ends.tolist(), strict=True))
    return [(start, end) for start, end in spans if end - start > MIN_SECONDS]


def with_silence(
    segments: Sequence[Segment], spans: Sequence[tuple[float, float]], posterior: Array, states: Sequence[str]
) -> list[Segment]:
    """Return the segments of a song with its silences as segments of their own.

    The states are found in units of 0.5 s. A boundary between two states that is less than one unit from a silence is
    due to this silence, and is moved to its start or end.

    Parameters
    ----------
    segments : sequence of Segment
        Segments that partition the song; each has a state.
    spans : sequence of tuple of float
        Start and end of each silence, from `silent_spans`.
    posterior : np.ndarray, shape=(n_units, n_states)
        Probability of each state in each unit of 0.5 s.
    states : sequence of str, length n_states
        Names of the states.

    Returns
    -------
    list of Segment
        Segments that partition the song. The confidence of silence is 1, because it is measured. The confidence of a
        segment that was cut or moved is the mean probability of its state in the units whose centers it contains.
    """
    times = [segments[0].start, *(_settled(each.start, spans) for each in segments[1:]), segments[-1].end]
    sounds = np.reshape([times[0], *(time for span in spans for time in span), times[-1]], (-1, 2)).tolist()
    parts = [Segment(start, end, SILENCE, 1.0) for start, end in spans]
    for segment, start, end in zip(segments, times, times[1:], strict=False):
        for first, last in sounds:
            part = segment._replace(start=max(start, first), end=min(end, last))
            if part.start < part.end:
                parts.append(part if part == segment else _measured(part, posterior[:, states.index(part.state)]))
    return sorted(parts)


def silence_seconds(segments: Sequence[Segment]) -> float:
    """Return the length of all silent segments together, in seconds."""
    return sum((segment.end - segment.start for segment in segments if segment.state == SILENCE), 0.0)


def _merged(spans: Iterable[tuple[float, float]]) -> list[tuple[float, float]]:
    """Join spans that overlap: all samples of a frame that is not silent may be in silent frames around it."""
    merged: list[tuple[float, float]] = []
    for start, end in spans:
        is_joined = bool(merged) and start <= merged[-1][1]
        merged.append((merged.pop()[0] if is_joined else start, end))
    return merged


def _settled(time: float, spans: Sequence[tuple[float, float]]) -> float:
    """Move a boundary that is less than one unit before or after a silence to the start or the end of the silence."""
    for start, end in spans:
        if start - UNIT_SECONDS < time < start:
            return start
        if end < time < end + UNIT_SECONDS:
            return end
    return time


def _measured(part: Segment, probability: Array) -> Segment:
    """Replace the confidence of a segment by the mean probability of its state; keep it if no unit is within."""
    centers = (np.arange(len(probability)) + 0.5) * UNIT_SECONDS
    inside = probability[(centers >= part.start) & (centers < part.end)]
    return part._replace(confidence=float(inside.mean())) if inside.size else part

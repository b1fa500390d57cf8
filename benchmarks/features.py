"""Benchmark of the frame features against a bare FFT and against librosa.

Run it with ``python -m benchmarks.features [SONG]``. The samples are in memory, and one thread of one process computes
the features. The ratios are medians of interleaved pairs. The bare FFT is a float32 `scipy.fft.rfft` of the same
frames, which are already windowed and contiguous; it transforms as many frames per call as songform does and discards
the results. librosa is called as in a notebook: each function that accepts `y` gets it, and so computes its own STFT.
"""

from __future__ import annotations

import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import librosa
import numpy as np
import scipy.fft
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits

from benchmarks.measuring import Result, compared, markdown
from benchmarks.songs import default_song
from songform.audio.stream import load
from songform.features.extraction import SongExtractor, describe_audio
from songform.features.filters import BLOCK_FRAMES, hann_window
from songform.features.frame_features import FEATURE_COLUMNS, FrameExtractor, frame_features
from songform.features.stft import sliding_frames
from tasks.ingest.ffmpeg import find_ffmpeg

__all__ = ["measure"]

MAX_FFT_RATIO = 4.0
MAX_SPECTRUM_RATIO = 1.0
MIN_LIBROSA_RATIO = 8.0
CHUNKS = (512, 4096, 65536)  # samples

Signal = NDArray[np.float32]


def measure(song: Path) -> list[Result]:
    """Measure how long the features of one song take.

    Parameters
    ----------
    song : Path
        An audio file.
    """
    y, sr = load(song, ffmpeg=find_ffmpeg())
    blocks = windowed_blocks(y)
    with threadpool_limits(1):
        ffts = compared(lambda: frame_features(y, sr), lambda: bare_fft(blocks))
        spectrum = added_ratio(y, sr, blocks)
        both = compared(lambda: describe_audio([y], sr=sr), lambda: bare_fft(blocks))
        by_librosa = compared(lambda: librosa_features(y, sr), lambda: frame_features(y, sr))
        chunked = [compared(pushed(y, sr, n), lambda: frame_features(y, sr)) for n in CHUNKS]
    return [
        Result("features / bare FFT", f"{ffts:.2f}", f"at most {MAX_FFT_RATIO}", ffts.median <= MAX_FFT_RATIO),
        Result("features and overview / bare FFT", f"{both:.2f}"),
        Result(
            "(with semitone spectrum - without) / bare FFT",
            f"{spectrum:.2f}",
            f"at most {MAX_SPECTRUM_RATIO}",
            spectrum <= MAX_SPECTRUM_RATIO,
        ),
        Result(
            "librosa, one call per feature / features",
            f"{by_librosa:.1f}",
            f"at least {MIN_LIBROSA_RATIO:.0f}",
            by_librosa.median >= MIN_LIBROSA_RATIO,
        ),
        *(
            Result(f"features in chunks of {n} samples / in one chunk", f"{ratio:.2f}")
            for n, ratio in zip(CHUNKS, chunked, strict=True)
        ),
    ]


def windowed_blocks(y: Signal) -> list[Signal]:
    """Return the windowed frames of a signal, in blocks that fit into the processor's cache."""
    frames, window = sliding_frames(np.pad(y, 1024), 2048, 512), hann_window(2048).astype(np.float32)
    return [frames[i : i + BLOCK_FRAMES] * window for i in range(0, len(frames), BLOCK_FRAMES)]


def bare_fft(blocks: list[Signal]) -> None:
    """Transform each block, and discard the results."""
    for block in blocks:
        scipy.fft.rfft(block, axis=1)


def added_ratio(y: Signal, sr: int, blocks: list[Signal]) -> float:
    """Return the CPU time that the semitone spectrum adds to an extraction, relative to the bare FFT.

    Each of the three is measured 41 times, in turn, on the first minute of the song. The ratio is the median of the
    differences over the FFT.
    """
    n_blocks = 60 * sr // (512 * BLOCK_FRAMES)
    y, blocks = y[: n_blocks * 512 * BLOCK_FRAMES], blocks[:n_blocks]
    ratios = []
    for _ in range(41):
        seconds = [
            _cpu_seconds(lambda with_semitones=choice: _extract(y, sr, with_semitones=with_semitones))
            for choice in (True, False)
        ]
        ratios.append((seconds[0] - seconds[1]) / _cpu_seconds(lambda: bare_fft(blocks)))
    return float(np.median(ratios))


def _extract(y: Signal, sr: int, *, with_semitones: bool) -> None:
    extractor = SongExtractor(sr, with_semitones=with_semitones)
    for i in range(0, len(y), 16_384):  # about as many samples as a decoder returns at once
        extractor.push(y[i : i + 16_384])
    extractor.flush()
    extractor.overview()
    if with_semitones:
        extractor.semitone_spectrum()


def _cpu_seconds(work: Callable[[], object]) -> float:
    start = time.process_time()
    work()
    return time.process_time() - start


def pushed(y: Signal, sr: int, n: int) -> Callable[[], object]:
    """Return a function that extracts the features of a signal in chunks of `n` samples, as from live audio."""
    chunks = [y[i : i + n] for i in range(0, len(y), n)]

    def push() -> None:
        extractor = FrameExtractor(sr)
        for chunk in chunks:
            extractor.push(chunk)
        extractor.flush()

    return push


def librosa_features(y: Signal, sr: int) -> NDArray[np.float64]:
    """Compute the 38 columns with librosa, with a separate call for each feature."""
    feature, padded = librosa.feature, np.pad(y, 1024)
    rms = _over_quarters(feature.rms(y=padded, frame_length=512, hop_length=512, center=False)[0])
    zcr = _over_quarters(feature.zero_crossing_rate(padded, frame_length=512, hop_length=512, center=False)[0])
    db = librosa.amplitude_to_db(np.abs(librosa.stft(y)), ref=1, amin=1e-5, top_db=None)
    mel_db = librosa.power_to_db(feature.melspectrogram(y=y, sr=sr), ref=1, amin=1e-10, top_db=None)
    mfcc = feature.mfcc(S=mel_db, n_mfcc=13)
    columns = [
        *rms,
        *zcr,
        feature.delta(rms[0]),
        feature.delta(zcr[0]),
        *feature.spectral_centroid(y=y, sr=sr),
        *feature.spectral_bandwidth(y=y, sr=sr),
        *feature.spectral_rolloff(y=y, sr=sr),
        *(db.mean(axis=0), db.std(axis=0), db.max(axis=0)),
        *mfcc,
        *feature.delta(mfcc),
    ]
    if len(columns) != len(FEATURE_COLUMNS):
        raise AssertionError(f"librosa computed {len(columns)} columns instead of {len(FEATURE_COLUMNS)}")
    return np.stack(columns, axis=1)


def _over_quarters(values: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return the mean and the standard deviation over the four quarters of each frame."""
    quarters = np.lib.stride_tricks.sliding_window_view(values, 4)
    return quarters.mean(axis=1), quarters.std(axis=1)


def main() -> None:
    """Print the table, for a composed song or for the file named on the command line."""
    with tempfile.TemporaryDirectory() as folder:
        song = Path(sys.argv[1]) if len(sys.argv) > 1 else default_song(Path(folder))
        print(markdown(measure(song)))


if __name__ == "__main__":
    main()

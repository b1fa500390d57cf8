"""Benchmark of the extraction from an MP3 file to Parquet files, compared with its unavoidable parts.

Run it with ``python -m benchmarks.pipeline [SONG]``. One process with one thread extracts the song as worker processes
do: it hashes the file, writes the tables and flushes them to disk. The unavoidable parts are decoding, resampling and
one FFT. They use the same decoder and resampler, and compute a float32 FFT of each frame in blocks that fit into the
processor's cache; the results are discarded.
"""

from __future__ import annotations

import hashlib
import tempfile
from collections.abc import Callable
from pathlib import Path

import scipy.fft
from threadpoolctl import threadpool_limits

from benchmarks.measuring import Result, compared, timed
from benchmarks.song_command import print_results
from songform.audio.stream import audio_blocks, open_audio, resampled
from songform.features.extraction import SongExtractor, feature_groups, feature_schema
from songform.features.stft import Framer, sliding_frames
from tasks.ingest.extraction_worker import ExtractionJob, extract_track
from tasks.ingest.ffmpeg import find_ffmpeg
from tasks.settings import Settings
from tasks.store.tables import ROW_GROUP, table_writer, write_table
from tasks.store.tracks import Track

__all__ = ["measure"]

BOUND = 2.0
FRAMES = Settings().frames


def measure(song: Path) -> list[Result]:
    """Measure the extraction of one song, and each of its steps.

    Parameters
    ----------
    song : Path
        An audio file that libsndfile reads.
    """
    ffmpeg = find_ffmpeg()
    with tempfile.TemporaryDirectory() as folder, threadpool_limits(1):
        job = ExtractionJob(
            Path(folder), Track(key="file-0", title=song.stem, source=str(song)), song, Settings(), ffmpeg
        )
        ratio = compared(lambda: extract_track(job), lambda: bare(song, ffmpeg))
        steps = [
            Result(f"- {name}", f"{1000 * timed(step).median:.0f} ms")
            for name, step in _steps(song, folder, ffmpeg).items()
        ]
    what = "MP3 on disk to Parquet on disk / (decode + resample + bare FFT)"
    return [Result(what, f"{ratio:.2f}", f"at most {BOUND}", ratio.median <= BOUND), *steps]


def bare(song: Path, ffmpeg: str) -> None:
    """Decode and resample a song, transform its frames, and discard the results."""
    framer = Framer(frame_length=FRAMES.frame_length, hop_length=FRAMES.hop_length)
    for block in audio_blocks(song, sr=FRAMES.sr, ffmpeg=ffmpeg):
        for samples in framer.push(block):
            scipy.fft.rfft(sliding_frames(samples, FRAMES.frame_length, FRAMES.hop_length), axis=1)


def _steps(song: Path, folder: str, ffmpeg: str) -> dict[str, Callable[[], object]]:
    """Return the steps of the extraction as functions; each works on the stored result of the step before."""
    with open_audio(song, ffmpeg=ffmpeg) as audio:
        sr, decoded = audio.sr, list(audio)
    blocks = list(resampled(decoded, orig_sr=sr, target_sr=FRAMES.sr))
    extractor = SongExtractor(FRAMES.sr)
    groups, overview = list(feature_groups(extractor, blocks, n_rows=ROW_GROUP)), extractor.overview()
    spectrum = extractor.semitone_spectrum()

    def decode() -> None:
        with open_audio(song, ffmpeg=ffmpeg) as audio:
            for _ in audio:
                pass

    def digest() -> None:
        with song.open("rb") as file:
            hashlib.file_digest(file, "sha256")

    def describe() -> None:
        extractor = SongExtractor(FRAMES.sr)
        for _ in feature_groups(extractor, blocks, n_rows=ROW_GROUP):
            pass
        extractor.overview()
        extractor.semitone_spectrum()

    def write() -> None:
        with table_writer(Path(folder, "features.parquet"), feature_schema(extractor.columns)) as writer:
            for group in groups:
                writer.write(group)
        write_table(Path(folder, "overview.parquet"), overview.to_table())
        write_table(Path(folder, "spectrum.parquet"), spectrum.to_table())

    return {
        "decode and average the channels, including the hash": decode,
        "the hash alone": digest,
        "resample": lambda: list(resampled(decoded, orig_sr=sr, target_sr=FRAMES.sr)),
        "features, overview and semitone spectrum": describe,
        "write Parquet, including the flushes to disk": write,
    }


if __name__ == "__main__":
    print_results(measure)

"""Benchmark of the two values of `audio.codec`: converting a download to MP3, or decoding it directly.

Run it with ``python -m benchmarks.codecs [SONG]``.

The song is first encoded in the formats that sites serve: AAC in M4A and Opus in WebM, at 128 kbit/s. This step is not
measured. Two ways of decoding these files are compared:

* `mp3`: ffmpeg converts the file to MP3 at 192 kbit/s, with the options that yt-dlp uses, and libsndfile decodes the
  MP3;
* `native`: the decoder that `songform.audio.stream` chooses (ffmpeg, through a pipe) decodes the file directly.

Both produce mono blocks at 22,050 Hz. The download and the features are the same for both and are not measured.
"""

from __future__ import annotations

import subprocess
import tempfile
from functools import partial
from pathlib import Path

from benchmarks.measuring import Result, compared, timed
from benchmarks.song_command import print_results
from songform.audio.stream import audio_blocks
from tasks.ingest.ffmpeg import find_ffmpeg
from tasks.settings import AudioSettings

__all__ = ["measure"]

RUNS = 3  # fewer than in other benchmarks, because encoding takes seconds and no bound is checked
SERVED = {"song.m4a": "aac", "song.webm": "libopus"}


def measure(song: Path) -> list[Result]:
    """Measure how long conversion and decoding take with each value of `audio.codec`.

    Parameters
    ----------
    song : Path
        An audio file of any format.
    """
    ffmpeg = find_ffmpeg()
    results = []
    with tempfile.TemporaryDirectory() as folder:
        for name, codec in SERVED.items():
            served = Path(folder, name)
            _encode(song, served, ["-c:a", codec, "-b:a", "128k"], ffmpeg=ffmpeg)
            results += _costs(served, ffmpeg)
    return results


def _costs(served: Path, ffmpeg: str) -> list[Result]:
    mp3, bitrate = served.with_suffix(".mp3"), AudioSettings().bitrate
    encode = partial(_encode, served, mp3, ["-acodec", "libmp3lame", "-b:a", f"{bitrate}.0k"], ffmpeg=ffmpeg)
    native = partial(_decode, served, ffmpeg)

    def encode_and_decode() -> None:
        encode()
        _decode(mp3, ffmpeg)

    ratio = compared(encode_and_decode, native, runs=RUNS)
    kind = served.suffix[1:]
    return [
        Result(f"`mp3`: convert {kind} to MP3 at {bitrate} kbit/s", f"{timed(encode, runs=RUNS):.2f} s"),
        Result(f"`mp3`: decode this MP3 ({kind})", f"{timed(partial(_decode, mp3, ffmpeg), runs=RUNS):.2f} s"),
        Result(f"`native`: decode {kind}", f"{timed(native, runs=RUNS):.2f} s"),
        Result(f"`mp3` / `native`, {kind}", f"{ratio:.1f}"),
    ]


def _encode(source: Path, target: Path, options: list[str], *, ffmpeg: str) -> None:
    command = [ffmpeg, "-nostdin", "-v", "error", "-y", "-i", f"file:{source}", "-vn", *options, f"file:{target}"]
    subprocess.run(command, stdin=subprocess.DEVNULL, check=True)


def _decode(path: Path, ffmpeg: str) -> None:
    for _ in audio_blocks(path, ffmpeg=ffmpeg):
        pass


if __name__ == "__main__":
    print_results(measure)

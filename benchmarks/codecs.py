"""What `audio.codec` costs: a song as sites serve it, made an MP3 and decoded, against decoded as it is.

Run it with ``python -m benchmarks.codecs [SONG]``.

The song is encoded as sites do, AAC in M4A and Opus in WebM, at 128 kbit/s; that is not measured. Then

* `mp3`: ffmpeg makes an MP3 of 192 kbit/s, with the options that yt-dlp gives it, and libsndfile decodes that;
* `native`: the decoder that `songform.audio.stream` chooses, a pipe from ffmpeg, decodes what was served.

Both end in mono blocks at 22,050 Hz. The download itself and the features are the same for both and are left out.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
from functools import partial
from pathlib import Path

from benchmarks.measuring import Result, compared, markdown, timed
from benchmarks.songs import default_song
from songform.audio.stream import audio_blocks
from tasks.ingest.ffmpeg import find_ffmpeg
from tasks.settings import AudioSettings

__all__ = ["measure"]

RUNS = 3  # encoding takes seconds, and nothing is promised
SERVED = {"song.m4a": "aac", "song.webm": "libopus"}


def measure(song: Path) -> list[Result]:
    """Measure the cost of both codecs for one song.

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

    def by_way_of_mp3() -> None:
        encode()
        _decode(mp3, ffmpeg)

    ratio = compared(by_way_of_mp3, native, runs=RUNS)
    kind = served.suffix[1:]
    return [
        Result(f"`mp3`: {kind} to MP3, {bitrate} kbit/s", f"{timed(encode, runs=RUNS):.2f} s"),
        Result(f"`mp3`: decode that MP3 of {kind}", f"{timed(partial(_decode, mp3, ffmpeg), runs=RUNS):.2f} s"),
        Result(f"`native`: decode {kind}", f"{timed(native, runs=RUNS):.2f} s"),
        Result(f"`mp3` / `native`, {kind}", f"{ratio:.1f}"),
    ]


def _encode(source: Path, target: Path, options: list[str], *, ffmpeg: str) -> None:
    command = [ffmpeg, "-nostdin", "-v", "error", "-y", "-i", f"file:{source}", "-vn", *options, f"file:{target}"]
    subprocess.run(command, stdin=subprocess.DEVNULL, check=True)


def _decode(path: Path, ffmpeg: str) -> None:
    for _ in audio_blocks(path, ffmpeg=ffmpeg):
        pass


def main() -> None:
    """Measure the song that is given, or one composed for it."""
    with tempfile.TemporaryDirectory() as folder:
        song = Path(sys.argv[1]) if sys.argv[1:] else default_song(Path(folder))
        print(markdown(measure(song)))


if __name__ == "__main__":
    main()

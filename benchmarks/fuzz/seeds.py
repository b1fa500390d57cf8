"""Intact files of 4 s, from which the fuzz test makes damaged ones.

ffmpeg and libsndfile encode the same composed sound in each container and codec that they write. The files depend only
on the versions of these programs: encoders that store random numbers are set not to, or are not used. The exceptions
are three formats in which libsndfile stores the time, which no decoder uses.
"""

from __future__ import annotations

import subprocess
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import soundfile

__all__ = ["SECONDS", "SeedFile", "composed_sound", "written_seeds"]

SECONDS, SR = 4.0, 22050
_VIDEO = "-f lavfi -i testsrc=s=64x48:r=5:d=6"

# Container, name, and the options of ffmpeg. `VIDEO` at the start adds a video that is longer than the sound.
_BY_FFMPEG = (
    ("MP3", "cbr.mp3", "-b:a 48k -ac 2"),
    ("MP3", "vbr.mp3", "-q:a 6"),
    ("MP3", "bare.mp3", "-q:a 6 -write_xing 0 -id3v2_version 0"),
    ("MP3", "44100.mp3", "-ar 44100 -b:a 64k"),
    ("MP3", "layer2.mp2", "-c:a mp2 -b:a 48k"),
    ("FLAC", "16.flac", "-c:a flac"),
    ("FLAC", "24.flac", "-c:a flac -sample_fmt s32 -ac 2"),
    ("Ogg", "vorbis.ogg", "-c:a libvorbis -q:a 0"),
    ("Ogg", "opus.opus", "-c:a libopus -b:a 32k"),
    ("Ogg", "flac.oga", "-c:a flac"),
    ("WAV", "s16.wav", "-c:a pcm_s16le -ac 2"),
    ("WAV", "s24.wav", "-c:a pcm_s24le"),
    ("WAV", "f32.wav", "-c:a pcm_f32le"),
    ("WAV", "u8.wav", "-c:a pcm_u8"),
    ("WAV", "mulaw.wav", "-c:a pcm_mulaw -ar 8000"),
    ("WAV", "ima.wav", "-c:a adpcm_ima_wav"),
    ("WAV", "ms.wav", "-c:a adpcm_ms"),
    ("WAV", "mp3.wav", "-c:a libmp3lame -b:a 48k"),
    ("WAV", "rf64.wav", "-c:a pcm_s16le -rf64 always"),
    ("WAV", "s16.w64", "-c:a pcm_s16le"),
    ("AIFF", "s16.aiff", "-c:a pcm_s16be"),
    ("AIFF", "ulaw.aifc", "-c:a pcm_mulaw -f aiff"),
    ("CAF", "s16.caf", "-c:a pcm_s16be"),
    ("CAF", "alac.caf", "-c:a alac"),
    ("CAF", "ima.caf", "-c:a adpcm_ima_qt"),
    ("AU", "s16.au", "-c:a pcm_s16be"),
    ("AU", "alaw.au", "-c:a pcm_alaw"),
    ("MP4", "aac.m4a", "-c:a aac -b:a 48k"),
    ("MP4", "alac.m4a", "-c:a alac"),
    ("MP4", "start.m4a", "-c:a aac -b:a 48k -movflags +faststart"),
    ("MP4", "fragments.mp4", "-c:a aac -b:a 48k -movflags +frag_keyframe+empty_moov -frag_duration 500000"),
    ("MP4", "video.mp4", "VIDEO -c:v mpeg4 -q:v 20 -c:a aac -b:a 48k"),
    ("MP4", "pcm.mov", "-c:a pcm_s16le"),
    ("MP4", "amr.3gp", "-c:a libopencore_amrnb -ar 8000"),
    ("Matroska", "flac.mka", "-c:a flac"),
    ("Matroska", "opus.webm", "-c:a libopus -b:a 32k"),
    ("Matroska", "vorbis.mkv", "VIDEO -c:v mpeg4 -q:v 20 -c:a libvorbis -q:a 0"),
    ("Matroska", "live.webm", "-c:a libopus -b:a 32k -live 1"),
    ("frames", "adts.aac", "-c:a aac -b:a 48k"),
    ("frames", "loas.latm", "-c:a aac -b:a 48k -f latm"),
    ("frames", "ac3.ac3", "-c:a ac3 -ar 32000 -b:a 64k"),
    ("frames", "eac3.eac3", "-c:a eac3 -ar 32000 -b:a 64k"),
    ("frames", "dts.dts", "-c:a dca -strict -2 -ar 44100 -b:a 320k -ac 2"),
    ("frames", "mlp.mlp", "-c:a mlp -strict -2 -ar 44100"),
    ("frames", "wavpack.wv", "-c:a wavpack"),
    ("frames", "tta.tta", "-c:a tta"),
    ("frames", "amr.amr", "-c:a libopencore_amrnb -ar 8000"),
    ("ASF", "wma.wma", "-c:a wmav2 -b:a 48k"),
    ("ASF", "video.wmv", "VIDEO -c:v wmv2 -q:v 20 -c:a wmav2 -b:a 48k"),
    ("other", "mp3.avi", "VIDEO -c:v mpeg4 -q:v 20 -c:a libmp3lame -b:a 48k"),
    ("other", "aac.flv", "-c:a aac -b:a 48k"),
    ("other", "aac.ts", "-c:a aac -b:a 48k"),
    ("other", "mp2.mpg", "-c:a mp2 -ar 32000 -b:a 64k"),
    ("other", "vorbis.nut", "-c:a libvorbis -q:a 0"),
    ("other", "u8.voc", "-c:a pcm_u8"),
    ("other", "sox.sox", "-c:a pcm_s32le"),
    ("other", "pcm.mxf", "VIDEO -c:v mpeg2video -r 25 -q:v 20 -c:a pcm_s16le -ar 48000"),
)
# Container, name, and the format and subtype of libsndfile.
_BY_LIBSNDFILE = (
    ("MP3", "lame.mp3", "MP3", "MPEG_LAYER_III"),
    ("FLAC", "sndfile.flac", "FLAC", "PCM_16"),
    ("WAV", "wavex.wav", "WAVEX", "PCM_16"),
    ("WAV", "gsm.wav", "WAV", "GSM610"),
    ("WAV", "f64.wav", "WAV", "DOUBLE"),
    ("AIFF", "f32.aiff", "AIFF", "FLOAT"),
    ("AIFF", "dwvw.aiff", "AIFF", "DWVW_16"),
    ("CAF", "sndfile.caf", "CAF", "ALAC_16"),
    ("AU", "g721.au", "AU", "G721_32"),
    ("other", "nist.sph", "NIST", "PCM_16"),
    ("other", "pvf.pvf", "PVF", "PCM_16"),
    ("other", "ircam.sf", "IRCAM", "PCM_16"),
    ("other", "svx.iff", "SVX", "PCM_16"),
    ("other", "avr.avr", "AVR", "PCM_16"),
    ("other", "paf.paf", "PAF", "PCM_16"),
    ("other", "mat5.mat", "MAT5", "PCM_16"),
)
_TAG_1 = b"TAG" + b"A title".ljust(125, b"\0")
_APE = b"APETAGEX" + bytes.fromhex("d0070000 20000000 00000000 00000000") + bytes(8)


@dataclass(frozen=True)
class SeedFile:
    """Intact audio file.

    Parameters
    ----------
    container : str
        Container, as a row of the table.
    name : str
        Name of the file, with the usual suffix.
    content : bytes
        Content of the file.
    """

    container: str
    name: str
    content: bytes

    @property
    def suffix(self) -> str:
        """Suffix of the file name, with its dot."""
        return Path(self.name).suffix


def written_seeds(folder: Path, ffmpeg: str) -> tuple[SeedFile, ...]:
    """Write all files to a folder, unless they are there already, and return them.

    Parameters
    ----------
    folder : Path
        The folder; it is created.
    ffmpeg : str
        Path of the ffmpeg executable.
    """
    folder.mkdir(exist_ok=True)
    wave = folder / "sound.wave"
    if not wave.exists():
        soundfile.write(wave, composed_sound(), SR, format="WAV")
        for _, name, options in _BY_FFMPEG:
            _encode(wave, folder / name, options, ffmpeg)
        for _, name, kind, subtype in _BY_LIBSNDFILE:
            soundfile.write(folder / name, composed_sound(), SR, format=kind, subtype=subtype)
        for name, content in _tagged(folder):
            (folder / name).write_bytes(content)
    named: Mapping[str, str] = {name: container for container, name, *_ in (*_BY_FFMPEG, *_BY_LIBSNDFILE)}
    named = {**named, **dict.fromkeys((name for name, _ in _tagged(folder)), "MP3")}
    return tuple(SeedFile(container, name, (folder / name).read_bytes()) for name, container in named.items())


def _tagged(folder: Path) -> Iterator[tuple[str, bytes]]:
    """Yield MP3s with tags before and after their frames."""
    yield "tagged.mp3", (folder / "cbr.mp3").read_bytes() + _APE + _TAG_1
    yield "joined.mp3", (folder / "vbr.mp3").read_bytes() + _TAG_1 + (folder / "44100.mp3").read_bytes()


def composed_sound() -> np.ndarray[tuple[int], np.dtype[np.float64]]:
    """Return a chord that changes every half second, with noise; silence would hide lost samples."""
    rng, times = np.random.default_rng(0), np.arange(round(SECONDS * SR)) / SR
    pitches = 220.0 * 2.0 ** (rng.integers(0, 24, (8, 1)) / 12.0)
    step = (times / 0.5).astype(int)
    tones = np.sin(2.0 * np.pi * pitches[step, 0] * times) + 0.1 * rng.standard_normal(len(times))
    return np.asarray(0.3 * tones)


def _encode(wave: Path, target: Path, options: str, ffmpeg: str) -> None:
    words = [*_VIDEO.split(), *options.split()[1:]] if options.startswith("VIDEO ") else options.split()
    exact = ["-map_metadata", "-1", "-fflags", "+bitexact", "-flags", "+bitexact", "-threads", "1"]
    command = [ffmpeg, "-nostdin", "-v", "error", "-y", "-i", f"file:{wave}", *words, *exact, f"file:{target}"]
    subprocess.run(command, stdin=subprocess.DEVNULL, check=True)

"""Streams of mono samples from audio files, checked while they are read.

As in `librosa.load`, the channels are averaged and the signal is then resampled (soxr, high quality). If their mean
loses the sound, this is known only at the end of the file: the stream then raises an `UnsuitableMeanError`, and the
file must be read again with another mixdown, as `read_audio` and `load` do. Only a few blocks of samples are in memory
at a time, so memory does not depend on the length of the file. The length of a song is what a decoder finds from
beginning to end. Decoders do not report every defect, so `open_audio` and the stream raise an `AudioError` if the file

* does not exist, is empty, or contains no audio,
* states a sampling rate that no audio has,
* contains an invalid sample: NaN, infinity, or at least a million times full scale,
* cannot be decoded to its end,
* is damaged in the middle, so that more than 2 % of its audio is missing,
* is cut short: more than 2 s and more than 2 % shorter than its header or its source states, although its container is
  not known to be complete. If it is complete, a wrong duration is a note.

References
----------
`songform.audio.decoders` decodes files, `songform.audio.headers` reads durations from headers, and
`songform.audio.mixdown` mixes channels. `soxr.ResampleStream` resamples.
"""

from __future__ import annotations

from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

import numpy as np
import soxr

from songform.audio.containers import avi_sound_seconds, bytes_behind, container_bytes, is_container_complete
from songform.audio.decoders import Decoder, DecodingError, open_decoder
from songform.audio.frame_walk import MAX_PADDING
from songform.audio.headers import announced_duration, banner_duration, is_cut_short, other_streams
from songform.audio.layout import MAX_MISSING, damage, damaged_places, missing_seconds
from songform.audio.mixdown import MEAN, ChannelStatistics, Mixdown, suitable_mixdown
from songform.errors import AudioError, ParameterError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from numpy.typing import NDArray

    from songform.audio.layout import Layout

__all__ = [
    "AudioStream",
    "UnsuitableMeanError",
    "announced_duration",
    "audio_blocks",
    "is_cut_short",
    "load",
    "open_audio",
    "read_audio",
    "resampled",
]

VERSION = 1  # increase this when the same file gives different samples
# Times full scale. Integers stored as floats are far below this, unlike the values in damaged files.
MAX_AMPLITUDE = 1e6
MIN_SR, MAX_SR = 1000, 10_000_000  # Hz; soxr needs gigabytes of memory, or crashes, if the ratio of two rates is huge
MIN_UNDECODED = 0.5  # seconds; decoders trim what encoders add at the ends
INCOMPLETE_PACKET = "PES packet size mismatch"  # ffmpeg's message about the last packet of an MPEG transport stream
MAX_NAMED = 3  # times that a note names
MAX_DEVIATION = 0.05  # seconds between the length of an undamaged file and the one in its header

T = TypeVar("T")


class UnsuitableMeanError(AudioError):
    """The mean of the channels of a file is not its sound; it was noticed at the end of the file.

    Attributes
    ----------
    mixdown : Mixdown
        The mixdown to use instead.
    """

    def __init__(self, path: Path, mixdown: Mixdown) -> None:
        super().__init__(
            f"{path.name} must be read with another mixdown than the mean of its channels: {'; '.join(mixdown.notes)}; "
            "use songform.audio.stream.read_audio"
        )
        self.mixdown = mixdown


class AudioStream:
    """The audio of an open file. It can be iterated over once.

    Parameters
    ----------
    path : Path
        Path of the file, for error messages.
    source : Decoder
        The open decoder.
    duration : float, optional
        Duration in seconds according to the header.
    announced : float, optional
        Duration in seconds according to the site or the feed.
    ffmpeg : str, optional
        Path of the ffmpeg executable.
    mixdown : Mixdown, optional
        How the channels are mixed. Default: their mean, if it is suitable.

    Attributes
    ----------
    sr, channels : int
        Sampling rate of the file in Hz, and number of channels.
    n_samples : int
        Number of samples per channel read so far.
    notes : list of str
        What is unusual or doubtful about the file, without its name, such as "it is damaged at 8.9 s, ..."; complete
        after all blocks have been read.
    """

    def __init__(
        self,
        path: Path,
        source: Decoder,
        *,
        duration: float | None = None,
        announced: float | None = None,
        ffmpeg: str | None = None,
        mixdown: Mixdown | None = None,
    ) -> None:
        self.path, self.duration, self.announced = path, duration, announced
        self.sr, self.channels = source.sr, source.channels
        self.n_samples = 0
        self.notes: list[str] = []
        self._source, self._ffmpeg = source, ffmpeg
        self._mixdown, self._statistics = mixdown or MEAN, ChannelStatistics(source.sr) if mixdown is None else None

    @property
    def decoder(self) -> str:
        """Name and version of the decoder that read the end of the file."""
        return self._source.name

    @property
    def sha256(self) -> str:
        """The SHA-256 of the file as hex digits; available while the file is open.

        It costs almost nothing after libsndfile has read the audio, because the bytes are hashed as they are read. A
        file that ffmpeg decodes is read a second time.
        """
        return self._source.sha256()

    @property
    def seconds(self) -> float:
        """Duration of the audio read so far, in seconds."""
        return self.n_samples / self.sr

    def __iter__(self) -> Iterator[NDArray[np.float32]]:
        """Yield float32 blocks of shape (n,): the channels mixed to one, at the sampling rate of the file.

        Raises
        ------
        AudioError
            If the audio is damaged, contains no samples, or is cut short.
        UnsuitableMeanError
            After the last block, if no mixdown was given and the mean of the channels is not suitable.
        """
        self.notes += self._notes_on_streams()
        try:
            for block in self._source.blocks:
                self._check_samples(block)
                self.n_samples += len(block)
                if self._statistics is not None:
                    self._statistics.add(block)
                yield self._mixdown.mixed(block)
        except DecodingError as error:
            raise _damaged(
                f"{self.path.name} cannot be decoded beyond {self.seconds:.1f} s{self._of_announced()} ({error}); "
                "it is damaged or cut short; fetch it again"
            ) from error
        self.notes += self._source.notes
        self._check_damage()
        self._check_length()
        self._check_mixdown()

    def _check_mixdown(self) -> None:
        self.notes += self._mixdown.notes
        suitable = None if self._statistics is None else suitable_mixdown(self._statistics)
        if suitable is not None:
            raise UnsuitableMeanError(self.path, suitable)

    def _check_samples(self, block: NDArray[np.float32]) -> None:
        if block.min() > -MAX_AMPLITUDE and block.max() < MAX_AMPLITUDE:  # false for NaN, too
            return
        at = int(np.argmin((np.abs(block) < MAX_AMPLITUDE).all(axis=1)))
        worst = next(value for value in block[at] if not abs(value) < MAX_AMPLITUDE)
        raise AudioError(
            f"{self.path.name} contains an invalid sample ({worst}) at {(self.n_samples + at) / self.sr:.3f} s; "
            "the file is damaged or was written by a faulty program; find another copy or export it again"
        )

    def _check_length(self) -> None:
        if not self.n_samples:
            raise AudioError(
                f"{self.path.name} contains no audio samples; the recording or the download was empty; "
                "check the file or find another copy"
            )
        is_whole = None
        for who, seconds in (("its header", self.duration), ("its source", self.announced)):
            if seconds is None or abs(self.seconds - seconds) <= max(2.0, 0.02 * seconds):
                continue
            is_whole = self._is_whole() if is_whole is None else is_whole
            if is_cut_short(self._seconds_with_gaps, seconds) and not is_whole:
                raise AudioError(
                    f"{self.path.name} is cut short: it contains {self.seconds:.1f} s of audio, but {who} "
                    f"states a length of {seconds:.1f} s; fetch it again",
                    "transient",
                    measured=self.seconds,
                )
            self.notes.append(f"it contains {self.seconds:.1f} s of audio, but {who} states {seconds:.1f} s")
        self._check_end()

    def _check_end(self) -> None:
        """Check the end of a file, whose length may seem right: that of an AVI file is computed from its size."""
        if self._layout is not None:
            if self.duration is None and not self._layout.is_complete:
                self.notes.append("it may be cut short, because its last frame is incomplete or its end is not marked")
            return
        if INCOMPLETE_PACKET in self._source.banner:
            self.notes.append("it may be cut short, because its last packet is incomplete")
        size, whole = self.path.stat().st_size, container_bytes(self.path) or 0
        is_short = self.duration is None or is_cut_short(self.seconds, self.seconds * whole / size)
        if whole - size > MAX_MISSING * whole and is_short:
            raise AudioError(
                f"{self.path.name} is cut short: it has {size} bytes, but its container states {whole}; fetch it again",
                "transient",
                measured=self.seconds,
            )

    def _check_damage(self) -> None:
        """Refuse a file of which too much is missing in the middle; add a note if less is missing."""
        gaps = self._source.gaps
        if gaps:
            self.notes.append(f"it is {damage(gaps)}")
        elif self._source.is_damaged and not self._is_as_long_as_stated():
            self.notes.append("it may be damaged or cut short, because its decoder reported errors")
        lost = missing_seconds(gaps)
        lost = max(lost, self._undecoded()) if self._layout is None else lost + self._undecoded()
        if self.n_samples and lost > MAX_MISSING * (self.seconds + lost):
            where = damaged_places(gaps) if gaps else "damaged"
            raise _damaged(
                f"{self.path.name} is {where}; {lost:.1f} s of {self.seconds + lost:.1f} s cannot be decoded, which is "
                f"more than {100 * MAX_MISSING:.0f} %; the file or its download is damaged; fetch it again"
            )

    def _undecoded(self) -> float:
        """Return how many seconds a decoder has skipped without an error, besides the gaps of a layout."""
        if self._layout is not None:
            undecoded = sum(part.seconds for part in self._layout.parts) - self.seconds
        else:
            undecoded = (avi_sound_seconds(self.path) or 0.0) - self.seconds
        return undecoded if undecoded > MIN_UNDECODED else 0.0

    def _is_as_long_as_stated(self) -> bool:
        """Return whether errors of the decoder cost no audio, as those about a tag behind a FLAC file."""
        if self._layout is not None and not self._layout.is_plain:
            return True  # the layout shows all damaged places; decoders report tags and joints as errors, too
        return self.duration is not None and abs(self.seconds - self.duration) <= MAX_DEVIATION

    def _is_whole(self) -> bool:
        """Return whether the end of the file exists, whatever duration was stated."""
        if self._layout is not None:
            return self._layout.is_complete
        if self.duration is not None and not is_cut_short(self._seconds_with_gaps, self.duration):
            return True
        complete = is_container_complete(self.path, ffmpeg=self._ffmpeg, announced=self.duration)
        if complete is None and self.duration is None:  # frames without a container; the last one is incomplete if cut
            return self._source.has_frames and not self._source.is_damaged
        return bool(complete)

    @property
    def _layout(self) -> Layout | None:
        return self._source.layout

    @property
    def _seconds_with_gaps(self) -> float:
        return self.seconds + missing_seconds(self._source.gaps)

    def _notes_on_streams(self) -> list[str]:
        found = []
        if others := other_streams(self._source.banner):
            found.append(f"it contains {len(others) + 1} audio streams; the first is used, not {', '.join(others)}")
        layout = self._layout
        if layout is not None and layout.changes:
            times = ", ".join(f"{time:.1f} s" for time in layout.changes[:MAX_NAMED])
            found.append(f"its sampling rate or its number of channels changes at {times}")
        if layout is not None and layout.n_trailing:
            found.append(f"its last {layout.n_trailing} bytes are not audio")
        n_behind = bytes_behind(self.path, by_ffmpeg=bool(self._source.banner)) if layout is None else 0
        if n_behind > MAX_PADDING:
            found.append(
                f"its last {n_behind} bytes follow the end that its container states, and are not used; "
                "it may be damaged, or other files were joined to it"
            )
        return found

    def _of_announced(self) -> str:
        return "" if self.duration is None else f" of the expected {self.duration:.1f} s"


def _damaged(message: str) -> AudioError:
    failure = AudioError(message, "transient")
    failure.repeated = "permanent"  # if it fails again after another download, the file at the source is damaged
    return failure


@contextmanager
def open_audio(
    path: str | Path,
    *,
    ffmpeg: str | None = None,
    announced: float | None = None,
    mixdown: Mixdown | None = None,
    sha256: str | None = None,
) -> Iterator[AudioStream]:
    """Open an audio file.

    Parameters
    ----------
    path : path
        Path of the file: WAV, FLAC, Ogg, Opus, MP3, or any format that ffmpeg reads.
    ffmpeg : str, optional
        Path of the ffmpeg executable, which M4A, WebM and other formats need.
    announced : float, optional
        Duration in seconds according to the site or the feed. Reading fails if the audio is much shorter; see
        `is_cut_short`.
    mixdown : Mixdown, optional
        How the channels are mixed. With None, their mean is used, and an `UnsuitableMeanError` at the end states if it
        is not suitable; with `songform.audio.mixdown.MEAN`, it is used in any case.
    sha256 : str, optional
        SHA-256 of the file as hex digits, if it is known. Otherwise the file is hashed while it is read.

    Yields
    ------
    AudioStream
        The open file; it is closed when the `with` block ends.

    Raises
    ------
    AudioError
        If the file does not exist, is empty, contains no audio, states an impossible sampling rate, or needs ffmpeg and
        none was given.
    """
    path = Path(path)
    if not path.is_file():
        raise AudioError(f"there is no audio file {path}; check the path, or fetch it again")
    if not path.stat().st_size:
        raise AudioError(f"{path.name} is empty (0 bytes); fetch it again", "transient")
    with open_decoder(path, ffmpeg=ffmpeg, sha256=sha256) as source:
        if not MIN_SR <= source.sr <= MAX_SR:
            raise AudioError(
                f"{path.name} has a sampling rate of {source.sr:,} Hz according to its header, but audio has between "
                f"{MIN_SR:,} and {MAX_SR:,} Hz; its header is damaged; find another copy"
            )
        duration = announced_duration(path)
        if duration is None and source.layout is None:
            duration = banner_duration(source.banner)
        yield AudioStream(path, source, duration=duration, announced=announced, ffmpeg=ffmpeg, mixdown=mixdown)


def read_audio(
    path: str | Path,
    read: Callable[[AudioStream], T],
    *,
    ffmpeg: str | None = None,
    announced: float | None = None,
    sha256: str | None = None,
) -> T:
    """Read a file with a function, and a second time if the mean of its channels is not suitable.

    Parameters
    ----------
    path, ffmpeg, announced, sha256
        As in `open_audio`.
    read : callable
        Reads an open `AudioStream` to its end, and returns a result. What it has done with the blocks must be without
        effect if the stream raises an error.

    Returns
    -------
    object
        The result of `read`.

    Raises
    ------
    AudioError
        As in `open_audio`, and by reading the stream.
    """
    try:
        with open_audio(path, ffmpeg=ffmpeg, announced=announced, sha256=sha256) as audio:
            return read(audio)
    except UnsuitableMeanError as error:
        mixdown = error.mixdown
    with open_audio(path, ffmpeg=ffmpeg, announced=announced, mixdown=mixdown, sha256=sha256) as audio:
        return read(audio)


def resampled(
    blocks: Iterable[NDArray[np.float32]], *, orig_sr: float, target_sr: float
) -> Iterator[NDArray[np.float32]]:
    """Resample a mono signal block by block.

    The concatenated result equals `soxr.resample(y, orig_sr, target_sr, quality="HQ")` of the whole signal `y`.

    Parameters
    ----------
    blocks : iterable of np.ndarray, each of shape (n_samples,)
        Consecutive blocks of the signal.
    orig_sr, target_sr : float
        Sampling rates of the signal and of the result, in Hz.

    Yields
    ------
    np.ndarray, shape (m,)
        Float32 samples at `target_sr`.

    Raises
    ------
    ParameterError
        If `target_sr` is not positive.
    """
    if target_sr <= 0:
        raise ParameterError(f"target_sr must be positive (a sampling rate in Hz), not {target_sr}")
    if orig_sr == target_sr:
        yield from blocks
        return
    stream = soxr.ResampleStream(orig_sr, target_sr, 1, dtype="float32", quality="HQ")
    for block in blocks:
        yield stream.resample_chunk(np.ascontiguousarray(block, np.float32))
    yield stream.resample_chunk(np.empty(0, np.float32), last=True)


def audio_blocks(
    path: str | Path, *, sr: int = 22050, ffmpeg: str | None = None, announced: float | None = None
) -> Iterator[NDArray[np.float32]]:
    """Yield mono blocks of a file at the sampling rate `sr`, combining `open_audio` and `resampled`.

    Parameters
    ----------
    path, ffmpeg, announced
        As in `open_audio`.
    sr : int
        Sampling rate of the blocks, in Hz.

    Raises
    ------
    UnsuitableMeanError
        After the last block, if the mean of the channels is not suitable; `load` returns the suitable mixdown.
    """
    with open_audio(path, ffmpeg=ffmpeg, announced=announced) as audio:
        yield from resampled(audio, orig_sr=audio.sr, target_sr=sr)


def load(path: str | Path, *, sr: int = 22050, ffmpeg: str | None = None) -> tuple[NDArray[np.float32], int]:
    """Read a whole file as mono samples, like `librosa.load`, with the formats and checks of this module.

    Parameters
    ----------
    path, sr, ffmpeg
        As in `audio_blocks`.

    Returns
    -------
    y : np.ndarray of float32, shape=(n_samples,)
        The signal.
    sr : int
        The requested sampling rate.

    Raises
    ------
    AudioError
        If the file cannot be opened, as in `open_audio`, or if its audio is damaged or cut short.

    Examples
    --------
    >>> import numpy as np
    >>> import soundfile
    >>> soundfile.write("tone.wav", 0.5 * np.sin(np.arange(44100) / 20), 44100)
    >>> y, sr = load("tone.wav")
    >>> y.shape, y.dtype, sr
    ((22050,), dtype('float32'), 22050)
    """

    def samples(audio: AudioStream) -> NDArray[np.float32]:
        return np.concatenate(list(resampled(audio, orig_sr=audio.sr, target_sr=sr)))

    return read_audio(path, samples, ffmpeg=ffmpeg), sr

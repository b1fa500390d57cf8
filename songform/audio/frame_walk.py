"""Walk from frame to frame through a stream of frames without a container: MPEG audio, AAC in ADTS, AC-3.

Each frame starts with a header that says how long the frame is. The headers of all frames show how many frames there
are, and where bytes are missing or do not belong to a frame. A header alone is no proof, because its few fixed bits
also occur in other bytes: frames of the same format must follow it.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple

from songform.audio.layout import Gap, Part
from songform.audio.tags import after_tags

if TYPE_CHECKING:
    import re
    from collections.abc import Callable

    from songform.audio.byte_window import ByteWindow

__all__ = ["MAX_PADDING", "Frame", "FrameCodec", "FrameReader", "Run", "Walk", "walk_frames"]

N_CONFIRMING = 2  # frames of the same format that must follow the first frame after a damaged place
MAX_PADDING = 4096  # bytes after the last frame that are not audio and do not make a file unusual


class Frame(NamedTuple):
    """What the header of a frame says."""

    size: int  # bytes
    # Layer or profile, samples, sampling rate and channels, which are the same in all frames of a recording.
    format: tuple[int, int, int, int]


@dataclass(frozen=True)
class FrameCodec:
    """How to recognize and read the headers of frames.

    Attributes
    ----------
    sync : re.Pattern
        Pattern of at most four bytes with which a frame starts.
    n_header : int
        Number of bytes that `read` needs.
    read : callable
        Returns what a header says, or None if the bytes are not a header.
    """

    sync: re.Pattern[bytes]
    n_header: int
    read: Callable[[bytes], Frame | None]


@dataclass(frozen=True)
class FrameReader:
    """Reader of the headers in a file.

    Attributes
    ----------
    window : ByteWindow
        Bytes of the file.
    codec : FrameCodec
        How to read headers.
    end : int
        Position after the last byte that may belong to a frame.
    """

    window: ByteWindow
    codec: FrameCodec
    end: int

    def at(self, position: int) -> Frame | None:
        """Return what the header at a position says, or None if there is none."""
        return self.codec.read(self.window.read(position, self.codec.n_header))

    def is_end(self, position: int) -> bool:
        """Return whether there is no space for a header at a position."""
        return position + self.codec.n_header > self.end

    def first(self, start: int) -> int | None:
        """Return the position of the first frame, at or after a position, that others of its format follow."""
        for position in self.window.matches(self.codec.sync, start, self.end):
            if self.is_confirmed(position, self.at(position)):
                return position
        return None

    def is_confirmed(self, position: int, frame: Frame | None) -> bool:
        """Return whether a frame is followed by others of its format, or is one of the last ones."""
        following = frame
        for _ in range(N_CONFIRMING):
            if frame is None or following is None or following.format != frame.format:
                return False
            position += following.size
            if self.is_end(position):
                return position == self.end
            following = self.at(position)
        return frame is not None and following is not None and following.format == frame.format


@dataclass
class Run:
    """Frames of one format, also across damaged places and tags."""

    start: int
    format: tuple[int, int, int, int]
    end: int = 0
    n_frames: int = 0
    last_size: int = 0  # bytes of the last frame

    @property
    def n_samples(self) -> int:
        """Number of samples per channel."""
        return self.n_frames * self.format[1]

    @property
    def sr(self) -> int:
        """Sampling rate in Hz."""
        return self.format[2]


@dataclass
class Walk:
    """What was found on the way from the first frame to the last.

    Attributes
    ----------
    runs : list of Run
        Consecutive frames of one format.
    gaps : list of (float, int)
        Time of each damaged place in seconds, and number of bytes there that are not in a frame.
    n_tag_bytes : int
        Number of bytes of tags between frames.
    is_end_complete : bool
        Whether the last frame is complete.
    """

    runs: list[Run] = field(default_factory=list)
    gaps: list[tuple[float, int]] = field(default_factory=list)
    n_tag_bytes: int = 0
    is_end_complete: bool = True

    @property
    def seconds(self) -> float:
        """Duration of all frames in seconds."""
        return sum(run.n_samples / run.sr for run in self.runs)

    @property
    def n_frames(self) -> int:
        """Number of frames."""
        return sum(run.n_frames for run in self.runs)

    @property
    def n_gap_bytes(self) -> int:
        """Number of bytes in damaged places."""
        return sum(n_bytes for _, n_bytes in self.gaps)

    @property
    def n_bytes(self) -> int:
        """Number of bytes from the first frame to the last one."""
        return self.runs[-1].end - self.runs[0].start

    @property
    def seconds_per_byte(self) -> float:
        """Mean duration of a byte of a frame, in seconds."""
        return self.seconds / max(1, self.n_bytes - self.n_gap_bytes - self.n_tag_bytes)

    @property
    def parts(self) -> tuple[Part, ...]:
        """Parts of the file that a decoder must read separately."""
        runs = (run for run in self.runs if run.n_frames)
        return tuple(Part(run.start, run.end, run.sr, run.format[3], run.n_samples) for run in runs)

    @property
    def byte_gaps(self) -> tuple[Gap, ...]:
        """Damaged places, with the length of the missing audio as estimated from the number of bytes."""
        return tuple(Gap(start, n_bytes * self.seconds_per_byte) for start, n_bytes in self.gaps)


def walk_frames(frames: FrameReader, first: int) -> Walk:
    """Go from frame to frame, and find the next one where there is none.

    Parameters
    ----------
    frames : FrameReader
        Reader of the file.
    first : int
        Position of the first frame.
    """
    walk, at = Walk(), first
    while not frames.is_end(at):
        at = _run_end(frames, walk, at)
        if frames.is_end(at) or not walk.is_end_complete:
            break
        following = after_tags(frames.window, at)
        if following > at:
            walk.n_tag_bytes += following - at if frames.at(following) is not None else 0
        else:
            following = _beyond_damage(frames, walk, at)
        at = following
    return walk


def _run_end(frames: FrameReader, walk: Walk, at: int) -> int:
    """Count the frames that follow each other from a position on; return the end of the last one."""
    frame = frames.at(at)
    while frame is not None and _is_in_run(frames, walk, at, frame):
        run = walk.runs[-1]
        while frame is not None and frame.format == run.format:
            if at + frame.size > frames.end:
                walk.is_end_complete = False
                return at
            at += frame.size
            run.n_frames, run.end, run.last_size = run.n_frames + 1, at, frame.size
            frame = frames.at(at)
    return at


def _is_in_run(frames: FrameReader, walk: Walk, at: int, frame: Frame) -> bool:
    """Return whether a frame continues the last run; a frame of another format starts a new one."""
    if walk.runs and walk.runs[-1].format == frame.format:
        return True
    if not frames.is_confirmed(at, frame):
        return False
    walk.runs.append(Run(at, frame.format))
    return True


def _beyond_damage(frames: FrameReader, walk: Walk, at: int) -> int:
    """Find the next frame after a damaged place, and record the place.

    If bytes of the last frame are lost, the next frame starts before the end that the header of the last one indicates.
    """
    run = walk.runs[-1]
    following = frames.first(at - run.last_size + 4 if at == run.end else at)
    if following is None:
        return frames.end
    if following < at:  # the last frame is damaged
        at -= run.last_size
        run.n_frames, run.end = run.n_frames - 1, at
    walk.gaps.append((walk.seconds, following - at))
    return following

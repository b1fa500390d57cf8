"""The layout of an audio file: its parts, its damaged places and its end, as found without decoding.

`songform.audio.mpeg_frames`, `songform.audio.raw_frames` and `songform.audio.ogg_pages` read the layout of a file from
the headers of all its frames or pages. It does not depend on the length in the header of the file, and reading it takes
little more time than reading the file.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["MAX_MISSING", "Gap", "Layout", "Part", "damage", "damaged_places", "missing_seconds"]

MAX_MISSING = 0.02  # share of the audio that may be missing in the middle
MAX_NAMED = 3  # places that a note names
MIN_MISSING = 0.005  # seconds


@dataclass(frozen=True)
class Gap:
    """A damaged place in the middle of a file.

    Attributes
    ----------
    start : float
        Time of the place, in seconds of decoded audio.
    missing : float
        Estimated length of the missing audio, in seconds.
    """

    start: float
    missing: float


@dataclass(frozen=True)
class Part:
    """Consecutive bytes of a file that have one sampling rate and number of channels.

    Attributes
    ----------
    start, end : int
        First byte, and the byte after the last one.
    sr, channels : int
        Sampling rate in Hz, and number of channels.
    n_samples : int
        Number of samples per channel.
    """

    start: int
    end: int
    sr: int
    channels: int
    n_samples: int

    @property
    def seconds(self) -> float:
        """Duration in seconds."""
        return self.n_samples / self.sr


@dataclass(frozen=True)
class Layout:
    """The layout of an audio file.

    Attributes
    ----------
    parts : tuple of Part
        Parts of the file that a decoder must read separately, in their order.
    gaps : tuple of Gap
        Damaged places.
    is_plain : bool
        Whether the file has one part, no damage, and nothing but tags before and after it. libsndfile then reads all of
        it, unless the header of the file states less.
    is_complete : bool
        Whether the file ends where its last frame or page ends, and not before the end that its header states.
    n_trailing : int
        Number of bytes after the audio that are neither audio nor a tag; 0 if there are only a few.
    """

    parts: tuple[Part, ...]
    gaps: tuple[Gap, ...] = ()
    is_plain: bool = True
    is_complete: bool = True
    n_trailing: int = 0

    @property
    def changes(self) -> list[float]:
        """Times in seconds at which the sampling rate or the number of channels changes."""
        found, end = [], 0.0
        for part, after in zip(self.parts, self.parts[1:], strict=False):
            end += part.seconds
            if (part.sr, part.channels) != (after.sr, after.channels):
                found.append(end)
        return found


def missing_seconds(gaps: Sequence[Gap]) -> float:
    """Return the total length of the missing audio, in seconds."""
    return sum(gap.missing for gap in gaps)


def damage(gaps: Sequence[Gap]) -> str:
    """Return where a file is damaged and how much audio is missing there, as the end of a sentence.

    Examples
    --------
    >>> damage([Gap(8.94, 0.026), Gap(11.2, 0.052)])
    'damaged at 8.9 s and 11.2 s, where about 0.08 s of audio is missing'
    """
    missing = missing_seconds(gaps)
    lost = f"where about {missing:.2f} s of audio is missing" if missing >= MIN_MISSING else "but no audio is missing"
    return f"{damaged_places(gaps)}, {lost}"


def damaged_places(gaps: Sequence[Gap]) -> str:
    """Return where a file is damaged, as the end of a sentence.

    Examples
    --------
    >>> damaged_places([Gap(0.5 * n, 0.026) for n in range(4)])
    'damaged at 0.0 s, 0.5 s, 1.0 s and 1 more place'
    """
    places = [f"{gap.start:.1f} s" for gap in gaps]
    if (n_more := len(places) - MAX_NAMED) > 0:
        places = [*places[:MAX_NAMED], f"{n_more} more place{'s' if n_more > 1 else ''}"]
    named = " and ".join([", ".join(places[:-1]), places[-1]] if len(places) > 1 else places)
    return f"damaged at {named}"

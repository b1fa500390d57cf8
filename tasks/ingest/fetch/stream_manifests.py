"""Manifests: lists of a stream's pieces, and how long they may be.

DASH and Smooth Streaming describe their pieces in short: "and the same again, two thousand million times". yt-dlp
writes each of them out before the first is fetched, so a manifest of a few hundred bytes fills all memory; and a number
that is to be a thousand million digits wide does it at once. HLS spells its pieces out, and can only be long.

No song has so many: three hours in pieces of a second, in thirty qualities, are 324,000.

References
----------
ISO/IEC 23009-1 (DASH), 5.3.9.4 (templates) and 5.3.9.6 (timelines); [MS-SSTR], 2.2.2 (manifests of Smooth Streaming);
RFC 8216 (HLS), 4.3.2.1.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import NamedTuple
from xml.etree.ElementTree import Element

from songform.errors import TrackError

__all__ = ["refuse_long_dash", "refuse_long_hls", "refuse_long_smooth"]

MAX_SEGMENTS = 500_000

_WIDTH = re.compile(r"\w+(%0?\d{1,2}[dxX])?")  # what may stand between two dollars


def refuse_long_hls(playlist: str) -> None:
    """Refuse a playlist of too many lines with a piece or a playlist each.

    Raises
    ------
    TrackError
        Permanent.
    """
    _refuse(playlist.count("#EXTINF") + playlist.count("#EXT-X-STREAM-INF"))


def refuse_long_dash(manifest: Element) -> None:
    """Refuse a manifest (MPD) of too many pieces, in all qualities together, or with a template of endless width.

    Raises
    ------
    TrackError
        Permanent.
    """
    for template in manifest.iterfind(".//{*}SegmentTemplate"):
        _refuse_wide(template.get("media", ""), template.get("initialization", ""))
    if any(re.search(r"[$%]", each.get("id", "")) for each in manifest.iterfind(".//{*}Representation")):
        raise _refusal("names its qualities by templates")
    _refuse(sum(_dash_pieces(manifest)))


def refuse_long_smooth(manifest: Element) -> None:
    """Refuse a manifest of Smooth Streaming of too many pieces, in all qualities together.

    Raises
    ------
    TrackError
        Permanent.
    """
    pieces = sum(max(1.0, _number(each.get("r"))) for each in manifest.iterfind("StreamIndex/c"))
    _refuse(pieces * max(1, len(manifest.findall("StreamIndex/QualityLevel"))))


class _Plan(NamedTuple):
    """What is said of the pieces of a period, of a set of qualities or of a quality; each hands it down to the next."""

    listed: float = 0.0
    duration: float = 0.0
    timescale: float = 1.0

    def refined(self, element: Element) -> _Plan:
        """Return the plan with what an element says itself."""
        plan = self
        for said in (*element.iterfind("{*}SegmentTemplate"), *element.iterfind("{*}SegmentList")):
            listed = sum(1 + abs(_number(each.get("r"))) for each in said.iterfind("{*}SegmentTimeline/{*}S"))
            plan = _Plan(
                listed or plan.listed,
                _number(said.get("duration")) or plan.duration,
                _number(said.get("timescale")) or plan.timescale,
            )
        return plan

    def pieces(self, seconds: float) -> float:
        """Return the number of pieces of so many seconds."""
        return self.listed or (abs(seconds * self.timescale / self.duration) if self.duration else 0.0)


def _dash_pieces(manifest: Element) -> Iterator[float]:
    """Yield the number of pieces of each quality."""
    from yt_dlp.utils import parse_duration

    whole = parse_duration(manifest.get("mediaPresentationDuration")) or 0.0
    for period in manifest.iterfind("{*}Period"):
        seconds, of_period = parse_duration(period.get("duration")) or whole, _Plan().refined(period)
        for group in period.iterfind("{*}AdaptationSet"):
            of_group = of_period.refined(group)
            for quality in group.iterfind("{*}Representation"):
                yield of_group.refined(quality).pieces(seconds)


def _number(text: str | None) -> float:
    """Read a number as Python would; what is none is 0, and yt-dlp says so."""
    try:
        return float(text or 0)
    except ValueError:
        return 0.0


def _refuse_wide(*templates: str) -> None:
    for template in templates:
        if not all(_WIDTH.fullmatch(part) for part in template.split("$")[1::2] if part):
            raise _refusal("has a template that is none")


def _refuse(pieces: float) -> None:
    if not pieces <= MAX_SEGMENTS:  # false for NaN, too
        raise _refusal(f"is said to have {pieces:.0f} pieces, more than any song")


def _refusal(why: str) -> TrackError:
    return TrackError(f"its stream {why}; find another copy of it", "permanent")

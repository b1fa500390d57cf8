"""Limits on the number of segments in stream manifests.

DASH and Smooth Streaming manifests can repeat a segment any number of times. yt-dlp expands them completely before it
downloads the first segment, so a manifest of a few hundred bytes could fill all memory. A template for a number with a
billion digits has the same effect. HLS playlists list every segment, so they can only be long.

No song exceeds the limit: three hours in segments of one second and in thirty qualities have 324,000 segments.

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

_WIDTH = re.compile(r"\w+(%0?\d{1,2}[dxX])?")  # allowed between two dollar signs of a template


def refuse_long_hls(playlist: str) -> None:
    """Refuse an HLS playlist with too many segments or variant playlists.

    Raises
    ------
    TrackError
        If there are too many, with the class `permanent`.
    """
    _refuse(playlist.count("#EXTINF") + playlist.count("#EXT-X-STREAM-INF"))


def refuse_long_dash(manifest: Element) -> None:
    """Refuse a DASH manifest (MPD) with too many segments in all qualities together, or with an invalid template.

    Raises
    ------
    TrackError
        If the manifest is refused, with the class `permanent`.
    """
    for template in manifest.iterfind(".//{*}SegmentTemplate"):
        _refuse_wide(template.get("media", ""), template.get("initialization", ""))
    if any(re.search(r"[$%]", each.get("id", "")) for each in manifest.iterfind(".//{*}Representation")):
        raise _refusal("has a quality level whose ID contains template characters ($ or %)")
    _refuse(sum(_dash_pieces(manifest)))


def refuse_long_smooth(manifest: Element) -> None:
    """Refuse a Smooth Streaming manifest with too many segments in all qualities together.

    Raises
    ------
    TrackError
        If there are too many, with the class `permanent`.
    """
    pieces = sum(max(1.0, _number(each.get("r"))) for each in manifest.iterfind("StreamIndex/c"))
    _refuse(pieces * max(1, len(manifest.findall("StreamIndex/QualityLevel"))))


class _Plan(NamedTuple):
    """Segment information of a period, an adaptation set or a representation; each inherits that of its parent."""

    listed: float = 0.0
    duration: float = 0.0
    timescale: float = 1.0

    def refined(self, element: Element) -> _Plan:
        """Return the information with the values of an element in place of the inherited ones."""
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
        """Return the number of segments for a duration in seconds."""
        return self.listed or (abs(seconds * self.timescale / self.duration) if self.duration else 0.0)


def _dash_pieces(manifest: Element) -> Iterator[float]:
    """Yield the number of segments of each quality."""
    from yt_dlp.utils import parse_duration

    whole = parse_duration(manifest.get("mediaPresentationDuration")) or 0.0
    for period in manifest.iterfind("{*}Period"):
        seconds, of_period = parse_duration(period.get("duration")) or whole, _Plan().refined(period)
        for group in period.iterfind("{*}AdaptationSet"):
            of_group = of_period.refined(group)
            for quality in group.iterfind("{*}Representation"):
                yield of_group.refined(quality).pieces(seconds)


def _number(text: str | None) -> float:
    """Parse a number; return 0 if it is not a number, which yt-dlp reports."""
    try:
        return float(text or 0)
    except ValueError:
        return 0.0


def _refuse_wide(*templates: str) -> None:
    for template in templates:
        if not all(_WIDTH.fullmatch(part) for part in template.split("$")[1::2] if part):
            raise _refusal("has an invalid segment template")


def _refuse(pieces: float) -> None:
    if not pieces <= MAX_SEGMENTS:  # false for NaN, too
        raise _refusal(f"lists {pieces:.0f} segments, more than any song has")


def _refusal(why: str) -> TrackError:
    return TrackError(f"its stream {why}; find another copy of it", "permanent")

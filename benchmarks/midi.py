"""Standard MIDI files, written byte by byte: a track, its notes and its controllers.

Time is in seconds; a file has 1,920 ticks a second (960 a quarter note, at 120 quarter notes a minute).

References
----------
.. [1] MIDI Manufacturers Association, "Standard MIDI Files 1.0", 1988.
.. [2] Creative, "SoundFont technical specification 2.01", section 9.6: NRPNs that move a preset's generators.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable
from typing import NamedTuple

__all__ = ["DRUMS", "Event", "controlled", "cutoff", "midi_file", "programmed", "sounded"]

DRUMS = 9  # the channel of percussion
QUARTER_TICKS = 960
TICKS_A_SECOND = 2 * QUARTER_TICKS
FILTER_CUTOFF = 8  # the generator's number
NEUTRAL = 8192


class Event(NamedTuple):
    """A message at a time; of those at the same time, the one with the smaller rank comes first."""

    seconds: float
    rank: int
    message: bytes


def programmed(seconds: float, channel: int, program: int) -> Event:
    """Choose an instrument for a channel."""
    return Event(seconds, 0, bytes([0xC0 | channel, program]))


def controlled(seconds: float, channel: int, number: int, value: int) -> Event:
    """Move a controller of a channel."""
    return Event(seconds, 0, bytes([0xB0 | channel, number, value]))


def cutoff(seconds: float, channel: int, octaves: float) -> list[Event]:
    """Move a channel's filter down by some octaves for the notes to come, by SoundFont's NRPN."""
    value = NEUTRAL + round(-1200 * octaves / 2)  # in steps of 2 cents
    pairs = ((99, 120), (98, FILTER_CUTOFF), (38, value % 128), (6, value // 128))
    return [Event(seconds, 2 + i, bytes([0xB0 | channel, number, data])) for i, (number, data) in enumerate(pairs)]


def sounded(seconds: float, length: float, channel: int, pitch: int, velocity: int) -> list[Event]:
    """Play a note; where it ends as the next begins, the end comes first."""
    return [
        Event(seconds, 9, bytes([0x90 | channel, pitch, velocity])),
        Event(seconds + length, 1, bytes([0x80 | channel, pitch, 0])),
    ]


def midi_file(events: Iterable[Event], end: float) -> bytes:
    """Write a file of one track that lasts until `end` seconds."""
    track, now = bytearray(), 0
    for event in sorted([*events, Event(end, 99, b"\xff\x2f\x00")], key=lambda event: event[:2]):
        ticks = round(event.seconds * TICKS_A_SECOND)
        track += _variable_length(ticks - now) + event.message
        now = ticks
    header = struct.pack(">4sIHHH", b"MThd", 6, 0, 1, QUARTER_TICKS)
    return header + struct.pack(">4sI", b"MTrk", len(track)) + bytes(track)


def _variable_length(number: int) -> bytes:
    """Write a number in groups of seven bits, all but the last marked."""
    groups = [number & 0x7F]
    while number := number >> 7:
        groups.append(0x80 | number & 0x7F)
    return bytes(reversed(groups))

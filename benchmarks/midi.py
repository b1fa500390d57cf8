"""Writer of Standard MIDI files with one track of notes and controllers.

Times are in seconds; a file has 1,920 ticks per second (960 per quarter note, at 120 quarter notes per minute).

References
----------
.. [1] MIDI Manufacturers Association, "Standard MIDI Files 1.0", 1988.
.. [2] Creative, "SoundFont technical specification 2.01", section 9.6: NRPNs that change the generators of a preset.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable
from typing import NamedTuple

__all__ = ["DRUMS", "Event", "controlled", "cutoff", "midi_file", "programmed", "sounded"]

DRUMS = 9  # channel of the percussion
QUARTER_TICKS = 960
TICKS_PER_SECOND = 2 * QUARTER_TICKS
FILTER_CUTOFF = 8  # number of the generator
NEUTRAL = 8192


class Event(NamedTuple):
    """MIDI message at a time in seconds. Messages at the same time are sorted by rank, lowest first."""

    seconds: float
    rank: int
    message: bytes


def programmed(seconds: float, channel: int, program: int) -> Event:
    """Return the event that selects the instrument of a channel."""
    return Event(seconds, 0, bytes([0xC0 | channel, program]))


def controlled(seconds: float, channel: int, number: int, value: int) -> Event:
    """Return the event that sets a controller of a channel."""
    return Event(seconds, 0, bytes([0xB0 | channel, number, value]))


def cutoff(seconds: float, channel: int, octaves: float) -> list[Event]:
    """Return the events that lower the filter cutoff of a channel by some octaves for the following notes.

    They use the NRPN of the SoundFont specification.
    """
    value = NEUTRAL + round(-1200 * octaves / 2)  # in steps of 2 cents
    pairs = ((99, 120), (98, FILTER_CUTOFF), (38, value % 128), (6, value // 128))
    return [Event(seconds, 2 + i, bytes([0xB0 | channel, number, data])) for i, (number, data) in enumerate(pairs)]


def sounded(seconds: float, length: float, channel: int, pitch: int, velocity: int) -> list[Event]:
    """Return the events that start and end a note; at equal times, ends are sorted before starts."""
    return [
        Event(seconds, 9, bytes([0x90 | channel, pitch, velocity])),
        Event(seconds + length, 1, bytes([0x80 | channel, pitch, 0])),
    ]


def midi_file(events: Iterable[Event], end: float) -> bytes:
    """Return the bytes of a file with one track that ends at `end`, in seconds."""
    track, now = bytearray(), 0
    for event in sorted([*events, Event(end, 99, b"\xff\x2f\x00")], key=lambda event: event[:2]):
        ticks = round(event.seconds * TICKS_PER_SECOND)
        track += _variable_length(ticks - now) + event.message
        now = ticks
    header = struct.pack(">4sIHHH", b"MThd", 6, 0, 1, QUARTER_TICKS)
    return header + struct.pack(">4sI", b"MTrk", len(track)) + bytes(track)


def _variable_length(number: int) -> bytes:
    """Return a number as groups of seven bits; the eighth bit is set in all groups but the last."""
    groups = [number & 0x7F]
    while number := number >> 7:
        groups.append(0x80 | number & 0x7F)
    return bytes(reversed(groups))

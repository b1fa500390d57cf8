"""The clock of a section: at which sample a step falls.

A step is a sixteenth note. Time may swing (the second half of each beat comes late) and may slow down towards the end
of a section (ritardando).
"""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["BEAT", "Clock"]

BEAT = 4  # steps


@dataclass(frozen=True)
class Clock:
    """Steps to samples.

    Parameters
    ----------
    step : int
        Samples in a step, where time does not slow down.
    steps : int
        Steps of the section.
    swing : float
        How much later than its middle the second half of a beat begins, as a part of the beat: 0 (straight) to 0.17
        (triplets).
    slowing : float
        How much slower the section ends than it begins: 0 (not), 1 (at half the tempo).
    """

    step: int
    steps: int
    swing: float = 0.0
    slowing: float = 0.0

    @property
    def n_samples(self) -> int:
        """The section's length."""
        return self.sample(self.steps)

    def sample(self, step: float) -> int:
        """Return the sample at which a step falls; whole beats are not moved by the swing."""
        beat, phase = divmod(step / BEAT, 1.0)
        late = 0.5 + self.swing
        swung = phase * late / 0.5 if phase < 0.5 else late + (phase - 0.5) * (1.0 - late) / 0.5
        place = BEAT * (beat + swung)
        return round(self.step * (place + self.slowing * place**2 / (2 * self.steps)))

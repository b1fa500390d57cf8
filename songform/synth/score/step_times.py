"""Conversion of steps to samples, with swing and slowing.

A step is a sixteenth note. With swing, the second half of each beat is delayed. With slowing, the tempo decreases
toward the end of a section (ritardando).
"""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["BEAT", "Clock"]

BEAT = 4  # steps


@dataclass(frozen=True)
class Clock:
    """Conversion of the steps of a section to samples.

    Parameters
    ----------
    step : int
        Length of a step in samples, at the initial tempo.
    steps : int
        Number of steps of the section.
    swing : float
        Delay of the second half of each beat as a fraction of a beat, from 0 (straight) to 0.17 (triplets).
    slowing : float
        Relative increase of the step length until the end of the section: 0 for a constant tempo, 1 for half the tempo
        at the end.
    """

    step: int
    steps: int
    swing: float = 0.0
    slowing: float = 0.0

    @property
    def n_samples(self) -> int:
        """Length of the section in samples."""
        return self.sample(self.steps)

    def sample(self, step: float) -> int:
        """Return the sample at which a step starts. Swing does not move whole beats."""
        beat, phase = divmod(step / BEAT, 1.0)
        late = 0.5 + self.swing
        swung = phase * late / 0.5 if phase < 0.5 else late + (phase - 0.5) * (1.0 - late) / 0.5
        place = BEAT * (beat + swung)
        return round(self.step * (place + self.slowing * place**2 / (2 * self.steps)))

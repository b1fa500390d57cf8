"""What the states are made of, written as notes: several kinds of each."""

from __future__ import annotations

from songform.synth.patterns.build_up import BUILD_UP
from songform.synth.patterns.calm import CALM
from songform.synth.patterns.energetic import ENERGETIC
from songform.synth.patterns.pattern import Kind, Turn
from songform.synth.patterns.repetitive import REPETITIVE
from songform.synth.patterns.transition import TRANSITION

__all__ = ["KINDS", "TRANSITION", "Kind", "Turn"]

KINDS: dict[str, dict[str, Kind]] = {
    "Calm": CALM,
    "BuildUp": BUILD_UP,
    "Energetic": ENERGETIC,
    "Repetitive": REPETITIVE,
}

"""What the states are made of, written as notes: several kinds of each."""

from __future__ import annotations

from songform.synth.kinds.build_up import BUILD_UP
from songform.synth.kinds.calm import CALM
from songform.synth.kinds.energetic import ENERGETIC
from songform.synth.kinds.kind import Kind, Turn
from songform.synth.kinds.repetitive import REPETITIVE
from songform.synth.kinds.transition import TRANSITION

__all__ = ["KINDS", "TRANSITION", "Kind", "Turn"]

KINDS: dict[str, dict[str, Kind]] = {
    "Calm": CALM,
    "BuildUp": BUILD_UP,
    "Energetic": ENERGETIC,
    "Repetitive": REPETITIVE,
}

"""Patterns for each state, which write the notes of a section."""

from __future__ import annotations

from songform.synth.patterns.build_up import BUILD_UP
from songform.synth.patterns.calm import CALM
from songform.synth.patterns.energetic import ENERGETIC
from songform.synth.patterns.pattern import Pattern, Turn
from songform.synth.patterns.repetitive import REPETITIVE
from songform.synth.patterns.transition import TRANSITION

__all__ = ["PATTERNS", "TRANSITION", "Pattern", "Turn"]

PATTERNS: dict[str, dict[str, Pattern]] = {
    "Calm": CALM,
    "BuildUp": BUILD_UP,
    "Energetic": ENERGETIC,
    "Repetitive": REPETITIVE,
}

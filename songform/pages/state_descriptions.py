"""Descriptions of the states: what a listener means by each, and what a model measured in it."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, NamedTuple

from songform.structure.context import CONTEXT_COLUMNS, CONTEXT_DESCRIPTIONS

if TYPE_CHECKING:
    from songform.structure.states import StateModel

__all__ = ["DESCRIPTORS", "Meaning", "state_meanings"]

_HEADINGS = {"abs_slope": "Slope"}  # headings that differ from the name of the column

DESCRIPTORS = {
    name: (_HEADINGS.get(name, name.replace("_", " ").capitalize()), explanation)
    for name, explanation in CONTEXT_DESCRIPTIONS.items()
}
"""Heading and explanation of each context descriptor."""

_SENTENCES = {
    "Calm": "Low energy and smooth sound.",
    "BuildUp": "Energy rises over several seconds and leads to a louder part.",
    "Energetic": "High intensity.",
    "Transition": "The structure changes: one part ends and another begins.",
    "Repetitive": "A pattern that repeats.",
}
_UNNAMED = "An additional cluster without a descriptive name. Its measured values show what characterizes it."
_LABEL = "A label that people gave to parts of the training songs. Its measured values show what characterizes it."


class Meaning(NamedTuple):
    """Meaning of a state."""

    state: str
    """Name of the state."""
    sentence: str
    """What a listener means by the state."""
    profile: dict[str, float]
    """Mean of each context descriptor in the state, in standard deviations from the mean over the model's songs."""
    weak: str
    """Reason why the name is weak; empty if it is not."""


def state_meanings(model: StateModel) -> list[Meaning]:
    """Return the meaning of each state of a model, in the model's order.

    Parameters
    ----------
    model : StateModel
        State model, from `songform.fit_states`.

    Returns
    -------
    list of Meaning
        One meaning per state.
    """
    rows = zip(model.states, model.profile.tolist(), model.weak, strict=True)
    return [
        Meaning(state, _sentence(state), dict(zip(CONTEXT_COLUMNS, row, strict=True)), weak)
        for state, row, weak in rows
    ]


def _sentence(state: str) -> str:
    other = _UNNAMED if re.fullmatch(r"State \d+", state) else _LABEL
    return _SENTENCES.get(state, other)

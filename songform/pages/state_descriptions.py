"""State descriptions: what each state is, in words, as a listener means it and as this model measured it."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from songform.structure.context import CONTEXT_COLUMNS, CONTEXT_DESCRIPTIONS

if TYPE_CHECKING:
    from songform.structure.states import StateModel

__all__ = ["DESCRIPTORS", "Meaning", "state_meanings"]

_HEADINGS = {"abs_slope": "Slope"}  # those that are not simply the name of the column

DESCRIPTORS = {
    name: (_HEADINGS.get(name, name.replace("_", " ").capitalize()), explanation)
    for name, explanation in CONTEXT_DESCRIPTIONS.items()
}
"""Heading and explanation of each context descriptor."""

_SENTENCES = {
    "Calm": "Low energy, and smooth.",
    "BuildUp": "Energy rises over seconds, towards a louder part.",
    "Energetic": "High intensity.",
    "Transition": "The structure changes here: one part ends, another begins.",
    "Repetitive": "A pattern that comes round again.",
}
_UNNAMED = "A cluster beyond the five named states: only its profile says what it is."


class Meaning(NamedTuple):
    """What a state is."""

    state: str
    sentence: str
    """As a listener means it."""
    profile: dict[str, float]
    """Mean of each context descriptor, in standard deviations from the mean of all moments of the corpus."""
    weak: str
    """Why the name is weak; empty where it is not."""


def state_meanings(model: StateModel) -> list[Meaning]:
    """Return the meaning of each state of a model, in the model's order.

    Parameters
    ----------
    model : StateModel
        From `songform.fit_states`.
    """
    rows = zip(model.states, model.profile.tolist(), model.weak, strict=True)
    return [
        Meaning(state, _SENTENCES.get(state, _UNNAMED), dict(zip(CONTEXT_COLUMNS, row, strict=True)), weak)
        for state, row, weak in rows
    ]

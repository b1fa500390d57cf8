"""Descriptions of the states: what a listener means by each, what a model measured in it, and where it came from."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Literal, NamedTuple

from songform.structure.context import CONTEXT_COLUMNS, CONTEXT_DESCRIPTIONS

if TYPE_CHECKING:
    from songform.structure.states import StateModel

__all__ = ["DESCRIPTORS", "ORIGINS", "Meaning", "Origin", "state_meanings"]

_HEADINGS = {"abs_slope": "Slope"}  # headings that differ from the name of the column

DESCRIPTORS = {
    name: (_HEADINGS.get(name, name.replace("_", " ").capitalize()), explanation)
    for name, explanation in CONTEXT_DESCRIPTIONS.items()
}
"""Heading and explanation of each context descriptor."""

Origin = Literal["shipped", "adapted", "people", "few people", "clusters"]
"""Where the states of a model come from; see `ORIGINS`."""

_MEAN = "The confidence of a segment is the mean probability of its state."
_COMPOSED = (
    f"{_MEAN} The probabilities were calibrated on composed songs with known states and with sounds that the model was "
    "not trained on: on those songs, a state with a confidence of 70 % is right about 70 % of the time. On other "
    "music, the confidence may be too high."
)
_NOT_CALIBRATED = "The probabilities were not calibrated, so use the confidence only to compare segments."
_LABELS = f"The states are labels that people gave to songs, and that the model learned. {_MEAN}"

ORIGINS: dict[Origin, str] = {
    "shipped": "The states are those of the model shipped with songform, which learned them from composed songs whose "
    f"states are known. They are not the judgments of a listener. {_COMPOSED}",
    "adapted": "The states are those of the model shipped with songform, adapted to the songs of a corpus. They are "
    f"not the judgments of a listener. {_COMPOSED}",
    "people": f"{_LABELS} The probabilities were calibrated on labeled songs that the model was not trained on: on "
    "those songs, a state with a confidence of 70 % is right about 70 % of the time.",
    "few people": f"{_LABELS} {_NOT_CALIBRATED}",
    "clusters": "The states are clusters that songform found in the audio features and named automatically. They are "
    f"not the judgments of a listener. {_MEAN} {_NOT_CALIBRATED}",
}
"""What a page says about states and confidences, depending on where the states come from."""

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

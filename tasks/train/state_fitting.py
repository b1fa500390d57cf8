"""Fitting of states with the settings; without Prefect, because worker processes import it.

States are adapted from those of the model that is shipped with songform, unless `states.prior_songs` is 0 or the
settings do not allow it: the number of states, the frames and the features must be those of the shipped model.
"""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from songform.bundle import Bundle
from songform.pretrained import pretrained_bundle, pretrained_id
from songform.structure.states import StateModel, fit_states
from tasks.settings import Settings
from tasks.store.bundles import other_setting

__all__ = ["prior_facts", "prior_fault", "states_by_settings"]


def states_by_settings(songs: list[NDArray[np.float64]], settings: Settings, *, adapt: bool = True) -> StateModel:
    """Fit a state model on the unit vectors of songs; see `songform.structure.states.fit_states`.

    Parameters
    ----------
    songs : list of np.ndarray, shape=(n_units, n_dimensions) each
        Unit vectors of each song.
    settings : Settings
        All settings.
    adapt : bool
        Whether the states are adapted from those of the shipped model if the settings allow it.
    """
    chosen = settings.states.model_dump(exclude={"prior_songs"})
    chosen |= {"sr": settings.frames.sr, "hop_length": settings.frames.hop_length}
    if adapt and prior_facts(settings):
        chosen |= {"prior": _shipped().states, "prior_songs": settings.states.prior_songs}
    return fit_states(songs, **chosen)


def prior_facts(settings: Settings) -> dict[str, Any]:
    """Return the id and the weight of the prior of a training; empty if there is none."""
    if not settings.states.prior_songs or settings.sequences.target == "expert" or prior_fault(settings):
        return {}
    return {"prior": pretrained_id(), "prior_songs": settings.states.prior_songs}


def prior_fault(settings: Settings) -> str | None:
    """Return one sentence on why the shipped model cannot be the prior of a training that wants one, or None."""
    if not settings.states.prior_songs or settings.sequences.target == "expert":
        return None
    shipped, n_states = _shipped(), settings.states.n_states
    other = other_setting(shipped, settings)
    if other is None and n_states != len(shipped.states.states):
        other = ("states.n_states", len(shipped.states.states), n_states)
    if other is None:
        return None
    name, trained, value = other
    return (
        f"the states are discovered from this corpus alone, because the model shipped with songform has {name} = "
        f"{trained}, but the setting is {value}; use --set {name}={trained}, or --set states.prior_songs=0 to say that "
        "this is intended"
    )


@cache
def _shipped() -> Bundle:
    return pretrained_bundle(network=False)

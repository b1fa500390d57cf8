"""Fitting of states with the settings; without Prefect, because worker processes import it."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from songform.structure.states import StateModel, fit_states
from tasks.settings import Settings

__all__ = ["states_by_settings"]


def states_by_settings(songs: list[NDArray[np.float64]], settings: Settings) -> StateModel:
    """Fit a state model on the unit vectors of songs; see `songform.structure.states.fit_states`."""
    frames = settings.frames
    chosen = settings.states.model_dump()
    return fit_states(songs, **chosen, sr=frames.sr, hop_length=frames.hop_length)

"""Agreement of beats and downbeats with true ones.

References
----------
`mir_eval.beat.f_measure`: an estimated beat is correct within 0.07 s, and each true beat counts once. The first 5 s are
not scored, as is usual (`mir_eval.beat.trim_beats`).
"""

from __future__ import annotations

from typing import Any

import mir_eval
import numpy as np
from numpy.typing import NDArray

__all__ = ["beat_f_measure"]

MARGIN_SECONDS = 0.1


def beat_f_measure(
    reference: NDArray[Any], estimate: NDArray[Any], *, within: tuple[float, float] | None = None
) -> float:
    """Return the F-measure of beats.

    Parameters
    ----------
    reference, estimate : np.ndarray
        Times of the true beats and of those found, in seconds.
    within : tuple of float, optional
        First and last time at which the true beats are known, in seconds. Beats found more than 0.1 s outside do not
        count.
    """
    if within is not None:
        first, last = within[0] - MARGIN_SECONDS, within[1] + MARGIN_SECONDS
        estimate = estimate[(estimate >= first) & (estimate <= last)]
    trimmed = (mir_eval.beat.trim_beats(np.asarray(times, float)) for times in (reference, estimate))
    return float(mir_eval.beat.f_measure(*trimmed))

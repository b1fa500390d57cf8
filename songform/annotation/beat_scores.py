"""Agreement of beats and downbeats with true ones, measured as in mir_eval.

The first 5 s are not scored, as is usual (`mir_eval.beat.trim_beats`).

Measures
--------
- F-measure (`f`): an estimated beat is correct within 0.07 s, and each true beat counts once [1]_.
- Continuity (`cmlt`, `amlt`): share of the beats that are within 17.5 % of the time between two beats, and so is the
  beat before them. `amlt` also accepts beats at double or half the tempo and beats between the true ones [2]_.

References
----------
.. [1] Dixon, "Evaluation of the audio beat tracking system BeatRoot", JNMR 36(1), 2007; `mir_eval.beat.f_measure`.
.. [2] Hainsworth, "Techniques for the automated analysis of musical audio", PhD thesis, University of Cambridge, 2004;
       Klapuri et al., "Analysis of the meter of acoustic musical signals", IEEE TASLP 14(1), 2006;
       `mir_eval.beat.continuity`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import mir_eval
import numpy as np
from numpy.typing import NDArray

from songform.annotation.beat_annotation import BeatAnnotation

__all__ = ["BEAT_MEASURES", "beat_f_measure", "beat_scores", "mean_beat_scores"]

MARGIN_SECONDS = 0.1

BEAT_MEASURES = tuple(f"{what}_{measure}" for what in ("beat", "downbeat") for measure in ("f", "cmlt", "amlt"))
"""Names of the scores of `beat_scores`."""

Times = NDArray[np.float64]


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
    truth, found = _trimmed(reference), _trimmed(estimate)
    if not len(truth) or not len(found):
        return 0.0  # as mir_eval does, but without its warning
    return float(mir_eval.beat.f_measure(truth, found))


def beat_scores(reference: BeatAnnotation, estimate: BeatAnnotation) -> dict[str, float]:
    """Score estimated beats against a reference.

    Parameters
    ----------
    reference, estimate : BeatAnnotation
        Beats of the same song.

    Returns
    -------
    dict of str to float
        Scores from 0 to 1 by the names in `BEAT_MEASURES`. Those of downbeats are missing if either annotation has no
        positions. Scores are missing as well if the reference has nothing to score after the first 5 s.
    """
    scores = _scores("beat", reference.times, estimate.times)
    if reference.downbeats is not None and estimate.downbeats is not None:
        scores |= _scores("downbeat", reference.downbeats, estimate.downbeats)
    return scores


def mean_beat_scores(scores: Iterable[Mapping[str, float]]) -> dict[str, float]:
    """Return the mean of each measure over the scores that contain it; a measure that none contains is missing."""
    table = list(scores)
    known = {name: [row[name] for row in table if name in row] for name in BEAT_MEASURES}
    return {name: float(np.mean(values)) for name, values in known.items() if values}


def _scores(what: str, reference: Times, estimate: Times) -> dict[str, float]:
    truth, found = _trimmed(reference), _trimmed(estimate)
    if not len(truth):
        return {}
    cmlt, amlt = _continuity(truth, found)
    return {f"{what}_f": beat_f_measure(truth, found), f"{what}_cmlt": cmlt, f"{what}_amlt": amlt}


def _continuity(reference: Times, estimate: Times) -> tuple[float, float]:
    """Return CMLt and AMLt."""
    if min(len(reference), len(estimate)) < 2:
        return 0.0, 0.0  # as mir_eval does, but without its warning
    _, cmlt, _, amlt = mir_eval.beat.continuity(reference, estimate)
    return float(cmlt), float(amlt)


def _trimmed(times: NDArray[Any]) -> Times:
    """Return the beats to score; mir_eval accepts no times above eight hours."""
    trimmed = mir_eval.beat.trim_beats(np.asarray(times, float))
    return np.asarray(trimmed[trimmed <= mir_eval.beat.MAX_TIME])

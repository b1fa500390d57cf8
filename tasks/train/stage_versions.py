"""Which `VERSION` of which stage belongs to the digests of states and bundles, beside those that they always held.

These modules got a `VERSION` when homes existed already. So the first value, 1, is no part of any digest
(`tasks.settings.later_versions`): the folders that an earlier version made keep their names.
"""

from __future__ import annotations

from songform.learning import classification_metrics, sequences, splits
from songform.structure import change_points, normalized_curves, pooling, self_similarity, viterbi
from tasks.settings import later_versions

__all__ = ["bundle_versions", "states_versions"]


def states_versions() -> dict[str, int]:
    """Return the later versions of the stages between the feature tables and `data/states`."""
    return later_versions(
        pooling=pooling.VERSION,
        normalized_curves=normalized_curves.VERSION,
        change_points=change_points.VERSION,
        self_similarity=self_similarity.VERSION,
        viterbi=viterbi.VERSION,
    )


def bundle_versions() -> dict[str, int]:
    """Return the later versions of the stages between `data/states` and `data/bundles`."""
    return later_versions(
        sequences=sequences.VERSION,
        splits=splits.VERSION,
        classification_metrics=classification_metrics.VERSION,
    )

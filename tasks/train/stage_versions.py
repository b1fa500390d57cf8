"""Which `VERSION` of which stage belongs to the digests of states and bundles, beside those that they always held.

These modules got a `VERSION` when homes existed already. So the first value, 1, is no part of any digest
(`tasks.settings.later_versions`): the folders that an earlier version made keep their names.
"""

from __future__ import annotations

from songform.learning import classification_metrics, sequences, splits
from songform.structure import change_points, normalized_curves, pooling, self_similarity, viterbi
from tasks.settings import later_versions

__all__ = [
    "HELDOUT_SCORES",
    "REFERENCE_SONGS",
    "STATE_LABELS",
    "TRAIN_NETWORK",
    "bundle_versions",
    "states_versions",
]

# The `VERSION` of modules of this folder, each named like its module. They are kept here because most of these modules
# import the plan of a training, whose digests need the numbers.
STATE_LABELS = 1  # increase this when the same tables give other states or labels
TRAIN_NETWORK = 1  # increase this when the same labels and windows give another bundle
REFERENCE_SONGS = 1  # increase this when the same network gets another weight
HELDOUT_SCORES = 1  # increase this when the same bundle gets other scores


def states_versions() -> dict[str, int]:
    """Return the later versions of the stages between the feature tables and `data/states`."""
    return later_versions(
        pooling=pooling.VERSION,
        normalized_curves=normalized_curves.VERSION,
        change_points=change_points.VERSION,
        self_similarity=self_similarity.VERSION,
        viterbi=viterbi.VERSION,
        state_labels=STATE_LABELS,
    )


def bundle_versions() -> dict[str, int]:
    """Return the later versions of the stages between `data/states` and `data/bundles`."""
    return later_versions(
        sequences=sequences.VERSION,
        splits=splits.VERSION,
        classification_metrics=classification_metrics.VERSION,
        train_network=TRAIN_NETWORK,
        reference_songs=REFERENCE_SONGS,
        heldout_scores=HELDOUT_SCORES,
    )

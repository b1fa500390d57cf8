"""`VERSION` constants that were added later to the digests of states and bundles.

The modules listed here got a `VERSION` when homes already existed. Their first value, 1, is therefore not part of any
digest (see `tasks.settings.later_versions`), and folders made by earlier versions of songform keep their names.
"""

from __future__ import annotations

from songform.learning import classification_metrics, sequence_inputs, sequences, splits
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

# `VERSION` of modules of this folder, named like the module. They are defined here to avoid an import cycle: most of
# these modules import `training_plan`, whose digests contain the numbers.
STATE_LABELS = 1  # increase it when the same tables give different states or labels
TRAIN_NETWORK = 1  # increase it when the same labels and windows give a different bundle
REFERENCE_SONGS = 1  # increase it when the same network gets a different weight
HELDOUT_SCORES = 1  # increase it when the same bundle gets different scores


def states_versions() -> dict[str, int]:
    """Return the versions other than 1 of the stages between the feature tables and `data/states`."""
    return later_versions(
        pooling=pooling.VERSION,
        normalized_curves=normalized_curves.VERSION,
        change_points=change_points.VERSION,
        self_similarity=self_similarity.VERSION,
        viterbi=viterbi.VERSION,
        state_labels=STATE_LABELS,
    )


def bundle_versions() -> dict[str, int]:
    """Return the versions other than 1 of the stages between `data/states` and `data/bundles`."""
    return later_versions(
        sequences=sequences.VERSION,
        sequence_inputs=sequence_inputs.VERSION,
        splits=splits.VERSION,
        classification_metrics=classification_metrics.VERSION,
        train_network=TRAIN_NETWORK,
        reference_songs=REFERENCE_SONGS,
        heldout_scores=HELDOUT_SCORES,
    )

"""Computing time of context, states and segments, compared with the extraction of the features."""

from __future__ import annotations

from benchmarks.measuring import compared
from benchmarks.study.songs import Described
from songform import synth
from songform.bundle import Bundle
from songform.features.extraction import describe_audio
from songform.structure.states import StateModel

__all__ = ["print_cost"]


def print_cost(model: StateModel, song: Described) -> None:
    """Print the ratio of the time to find the form of one song to the time to extract its features."""
    composed = synth.study_song(9105, duration=180.0)
    features, overview, n_samples = describe_audio([composed.y], sr=composed.sr)
    bundle = Bundle(model, None, 0.0, tuple(song.features.columns))
    ratio = compared(
        lambda: bundle.form(features, overview, n_samples / composed.sr),
        lambda: describe_audio([composed.y], sr=composed.sr),
    )
    print(f"\nContext, states and segments / features and overview, song of 180 s: {ratio:.2f} (should be at most 1)")

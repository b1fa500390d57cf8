"""Musical form of songs: audio, features, states, segments and models.

The package can be used in a notebook, without the command line::

    import songform

    y, sr = songform.load("song.mp3")
    features = songform.frame_features(y, sr)

Submodules are imported when one of their names is first used, so that ``import songform`` is fast.
"""

from __future__ import annotations

from importlib import import_module
from importlib.metadata import PackageNotFoundError, version
from typing import Any

__all__ = [
    "Annotation",
    "Beats",
    "Bundle",
    "FrameExtractor",
    "Overview",
    "Sections",
    "Segment",
    "SemitoneSpectrum",
    "SongExtractor",
    "StateModel",
    "compose",
    "context_descriptors",
    "describe_audio",
    "find_beats",
    "find_sections",
    "fit_states",
    "frame_features",
    "labeled_states",
    "load",
    "pretrained_bundle",
    "read_annotation",
    "unit_vectors",
]

try:
    __version__ = version("songform")
except PackageNotFoundError:  # a checkout on the path that is not installed
    __version__ = "0+unknown"

_LAZY = {
    "Annotation": "songform.annotation.annotations",
    "Beats": "songform.beats.beat_tracking",
    "Bundle": "songform.bundle",
    "FrameExtractor": "songform.features.frame_features",
    "Overview": "songform.features.overview",
    "Sections": "songform.sections.section_finding",
    "Segment": "songform.structure.segments",
    "SemitoneSpectrum": "songform.features.semitone_spectrum",
    "SongExtractor": "songform.features.extraction",
    "StateModel": "songform.structure.states",
    "compose": "songform.synth",
    "context_descriptors": "songform.structure.context",
    "describe_audio": "songform.features.extraction",
    "find_beats": "songform.beats.beat_tracking",
    "find_sections": "songform.sections.section_finding",
    "fit_states": "songform.structure.states",
    "frame_features": "songform.features.frame_features",
    "labeled_states": "songform.structure.states",
    "load": "songform.audio.stream",
    "pretrained_bundle": "songform.pretrained",
    "read_annotation": "songform.annotation.formats",
    "unit_vectors": "songform.structure.states",
}


def __getattr__(name: str) -> Any:
    if name not in _LAZY:
        msg = f"module 'songform' has no attribute {name!r}"
        raise AttributeError(msg)
    return getattr(import_module(_LAZY[name]), name)


def __dir__() -> list[str]:
    return sorted([*globals(), *__all__])

"""Pictures of songs and of training runs.

====================  ================================================================
of a song             what it shows
====================  ================================================================
`waveform`            the least and greatest sample of each moment
`rms`                 level, and its spread within the frames
`spectrogram`         time by mel frequency, with the roll-off
`feature_curves`      seven features, one above the other
`mfcc_heatmap`        time by coefficient
`bandwidth`           the spectrum's middle and width
`state_timeline`      the form
====================  ================================================================

====================  ================================================================
of a training run     what it shows
====================  ================================================================
`training_curves`     loss and accuracy of each epoch, and the best epoch
`confusion_matrix`    which state is taken for which
`cluster_profile`     what each state is
`metric_bars`         the model beside its baselines
====================  ================================================================

Conventions
-----------
Each function returns a `matplotlib.figure.Figure` of its own and keeps nothing; pyplot is never touched. A state has
one colour everywhere, `state_color`, chosen to be told apart by colour-blind eyes. `save_png` writes the same bytes
for the same picture.
"""

from __future__ import annotations

from songform.plots.drawing import save_png
from songform.plots.heatmaps import mfcc_heatmap, spectrogram
from songform.plots.palette import state_color
from songform.plots.songs import bandwidth, feature_curves, rms, waveform
from songform.plots.timeline import state_timeline
from songform.plots.training_runs import cluster_profile, confusion_matrix, metric_bars, training_curves

__all__ = [
    "VERSION",
    "bandwidth",
    "cluster_profile",
    "confusion_matrix",
    "feature_curves",
    "metric_bars",
    "mfcc_heatmap",
    "rms",
    "save_png",
    "spectrogram",
    "state_color",
    "state_timeline",
    "training_curves",
    "waveform",
]

VERSION = 1  # increase this when the same song gives other pictures: older ones are then drawn again

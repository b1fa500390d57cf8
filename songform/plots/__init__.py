"""Pictures of songs and of training runs.

====================  ================================================================
of a song             content
====================  ================================================================
`waveform`            minimum and maximum sample over time
`rms`                 RMS level, and its standard deviation within each frame
`spectrogram`         log-mel spectrogram with the roll-off frequency and bar lines
`feature_curves`      seven features over time
`mfcc_heatmap`        MFCCs over time
`bandwidth`           spectral centroid and bandwidth
`state_timeline`      sections and phrases; waveform and segments, colored by state
====================  ================================================================

====================  ================================================================
of a training run     content
====================  ================================================================
`training_curves`     loss and accuracy per epoch, and the best epoch
`confusion_matrix`    counts of true and predicted states
`cluster_profile`     descriptors of each state
`metric_bars`         scores of the model and its baselines
====================  ================================================================

Conventions
-----------
Each function returns a new `matplotlib.figure.Figure`. No function uses pyplot. A state has the same color in every
picture, `state_color`, and so has the letter of a section, `section_color`; the colors can be distinguished by readers
with color vision deficiency. `save_png` writes the same bytes for the same picture. All pictures of a song have a row
with the letters of its sections. `missing_letters_note` says which letters of a title cannot be drawn.
"""

from __future__ import annotations

from songform.plots.drawing import save_png
from songform.plots.fonts import missing_letters_note
from songform.plots.heatmaps import mfcc_heatmap, spectrogram
from songform.plots.palette import section_color, state_color
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
    "missing_letters_note",
    "rms",
    "save_png",
    "section_color",
    "spectrogram",
    "state_color",
    "state_timeline",
    "training_curves",
    "waveform",
]

VERSION = 3  # increase this when the same song gives a different picture, so that pictures are drawn again

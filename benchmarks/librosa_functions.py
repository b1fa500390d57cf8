"""Benchmark of functions that songform implements itself, compared with librosa's: import, first and second call.

Run it with ``python -m benchmarks.librosa_functions``. Every run is a separate process, because imports and compilation
by Numba happen once per process. docs/librosa.md explains which functions songform implements itself.
"""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

from benchmarks.measuring import Result, markdown, spread

__all__ = ["measure"]

RUNS = 3

PROGRAM = """
import json, sys, time
import numpy as np

posterior = np.random.default_rng(0).dirichlet(np.ones(5), size=600)  # five minutes of units
transitions = np.full((5, 5), 0.025) + 0.875 * np.eye(5)
image = np.random.default_rng(0).uniform(-80, 0, (128, 1200))

laps = [time.perf_counter()]
{imports}
laps.append(time.perf_counter())
for _ in range(2):
    {call}
    laps.append(time.perf_counter())
json.dump(np.diff(laps).tolist(), sys.stdout)
"""

FIGURE = "from matplotlib.figure import Figure\nax = Figure().subplots()\n"

FUNCTIONS = {
    "Viterbi path, songform": (
        "from songform.structure.viterbi import state_path",
        "state_path(posterior, transitions)",
    ),
    "Viterbi path, librosa": (
        "from librosa.sequence import viterbi",
        "viterbi(posterior.T, transitions)",
    ),
    "mel filters, songform": (
        "from songform.features.filters import mel_filters",
        "mel_filters(22050, 2048)",
    ),
    "mel filters, librosa": (
        "from librosa.filters import mel",
        "mel(sr=22050, n_fft=2048)",
    ),
    "spectrogram, songform": (
        f"{FIGURE}from songform.plots.drawing import image as draw",
        "draw(ax, image.T, 60.0, cmap='magma', vmin=-80, vmax=0); ax.figure.draw_without_rendering()",
    ),
    "spectrogram, librosa": (
        f"{FIGURE}from librosa.display import specshow",
        "specshow(image, x_axis='time', y_axis='mel', ax=ax); ax.figure.draw_without_rendering()",
    ),
}


def measure(song: Path | None = None) -> list[Result]:  # noqa: ARG001  all benchmarks are called with a song
    """Measure the import, the first call and the second call of each function.

    Parameters
    ----------
    song : Path, optional
        Not used: no audio is read.
    """
    return [
        Result(f"{name}: {step}", f"{seconds:.4f} s")
        for name, (imports, call) in FUNCTIONS.items()
        for step, seconds in zip(("import", "first call", "second call"), _laps(imports, call), strict=True)
    ]


def _laps(imports: str, call: str) -> list[object]:
    command = [sys.executable, "-c", PROGRAM.format(imports=imports, call=call)]
    runs = [subprocess.run(command, check=True, capture_output=True, text=True).stdout for _ in range(RUNS)]
    return [spread(values) for values in zip(*map(json.loads, runs), strict=True)]


if __name__ == "__main__":
    print(markdown(measure()))

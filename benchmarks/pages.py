"""Benchmark of the size of pages and the time it takes to write them.

Run it with ``python -m benchmarks.pages [SONG]``.
"""

from __future__ import annotations

import sys
import tempfile
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd

import songform
from benchmarks.measuring import Result, markdown, timed
from benchmarks.songs import default_song
from songform.bundle import Bundle
from songform.features.overview import OVERVIEW_SECONDS, Overview
from songform.pages import SongView, Sound, song_page
from songform.structure.context import context_descriptors
from songform.structure.pooling import UNIT_SECONDS
from songform.structure.states import fit_states, unit_vectors

__all__ = ["measure"]

_HOURS = 2
_MAX_BYTES = 2_500_000


def measure(song: Path) -> list[Result]:
    """Measure the page of a song, and the page of a song of two hours; `benchmarks.index` measures the index page.

    Parameters
    ----------
    song : Path
        An audio file of any format. The long song repeats its data.
    """
    view = _view(song)
    long = _repeated(view, round(_HOURS * 3600 / view.segments[-1].end))
    pages = {
        f"page of a song of {view.segments[-1].end:.0f} s, without its audio": lambda: song_page(view),
        f"the same for {long.segments[-1].end / 3600:.1f} h, {len(long.segments)} segments": lambda: song_page(long),
    }
    return [result for what, write in pages.items() for result in _written(what, write)]


def _written(what, write) -> list[Result]:
    size, bound = len(write().encode()), _MAX_BYTES if "audio" in what else None
    return [
        Result(what, f"{size / 1e6:.2f} MB", f"at most {bound / 1e6:.1f} MB" if bound else "", bound and size <= bound),
        Result("- time to write it", f"{timed(write):.2f} s"),
    ]


def _view(song: Path) -> SongView:
    y, sr = songform.load(song)
    features, overview, n_samples = songform.describe_audio([y], sr=sr)
    model = fit_states([unit_vectors(features, overview)])
    form = Bundle(model, None, 0.0, tuple(features.columns)).form(features, overview, n_samples / sr)
    context = context_descriptors(features, overview)
    return SongView(
        "file-0", song.stem, song.name, form.segments, form.joint, model, "-", overview, features, context, Sound()
    )


def _repeated(view: SongView, times: int) -> SongView:
    """Return the view of a song that is repeated several times."""
    length = view.segments[-1].end
    overview = {name: np.concatenate([value] * times) for name, value in vars(view.overview).items()}
    overview["time_s"] = np.arange(len(overview["time_s"])) * OVERVIEW_SECONDS
    features = pd.concat([view.features] * times)
    context = pd.concat([view.context] * times)
    return replace(
        view,
        segments=[
            s._replace(start=s.start + i * length, end=s.end + i * length) for i in range(times) for s in view.segments
        ],
        posterior=np.concatenate([view.posterior] * times),
        overview=Overview(**overview),
        features=features.set_index(pd.Index(np.arange(len(features)) * 512 / 22050, name="time_s")),
        context=context.set_index(pd.Index((np.arange(len(context)) + 0.5) * UNIT_SECONDS, name="time_s")),
    )


if __name__ == "__main__":
    with tempfile.TemporaryDirectory(prefix="songform-bench-") as folder:
        print(markdown(measure(Path(sys.argv[1]) if len(sys.argv) > 1 else default_song(Path(folder)))))

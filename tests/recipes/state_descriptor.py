"""Check of the state descriptor `brightness`: its values, its weight, the profiles of states, and the song's page."""

from __future__ import annotations

import sys
from itertools import pairwise
from pathlib import Path

import numpy as np

from songform import Bundle, StateModel, compose, context_descriptors, describe_audio, fit_states, unit_vectors
from songform.pages import SongView, Sound, song_page
from songform.structure.change_points import song_stretches
from songform.structure.context import CONTEXT_COLUMNS, context_curves, last_stretch_context, stretch_context
from songform.structure.naming import ARCHETYPES, STATES, name_clusters
from songform.structure.normalized_curves import song_curves
from songform.structure.pooling import song_units
from songform.structure.states import last_unit_vector


def main(folder: Path) -> None:
    """Discover the states of a song, and write its page."""
    assert CONTEXT_COLUMNS[-1] == "brightness"
    assert name_clusters(ARCHETYPES).names == STATES
    song = compose(0, duration=30.0)
    features, overview, n_samples = describe_audio([song.y], sr=song.sr)

    curves = song_curves(song_units(features, overview))
    bounds = song_stretches(curves)
    expected = [curves.brightness[start:end].mean() for start, end in pairwise(bounds)]
    np.testing.assert_allclose(stretch_context(curves, bounds)[:, -1], expected)
    np.testing.assert_allclose(last_stretch_context(curves, bounds)[-1], expected[-1])
    context = context_descriptors(features, overview)["brightness"]
    assert np.isin(context.round(9), np.round(expected, 9)).all()

    model = fit_states([unit_vectors(features, overview)])
    assert model.profile.shape == (5, 7)
    assert len(last_unit_vector(song_units(features, overview))) == len(model.center)
    assert model.weight[-1] == 0.5 * model.weight[-2], "the descriptor must have half the weight of the one before it"
    model.save(folder / "states.npz")
    form = Bundle(StateModel.load(folder / "states.npz"), None, 0.0, tuple(features.columns)).form(
        features, overview, n_samples / song.sr
    )
    html = song_page(
        SongView(
            key="file-0",
            title="song",
            source="song.wav",
            segments=form.segments,
            posterior=form.joint,
            states=model,
            model="own",
            overview=overview,
            features=features,
            context=context_curves(features, overview),
            sound=Sound(),
        )
    )
    assert html.count('title="brightness compared with the rest of the song">Brightness</th>') == 5  # in each profile
    assert html.count('id="plot-brightness"') == 1  # its curve


main(Path(sys.argv[1]))

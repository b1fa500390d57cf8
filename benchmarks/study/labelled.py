"""Agreement of the segments with people's labels, compared with simple baselines and with other people."""

from __future__ import annotations

from collections.abc import Sequence
from statistics import median

from benchmarks.study.songs import Described, fitted
from songform.annotation.annotations import segment_annotation
from songform.annotation.segmentation_scores import mean_scores, song_scores
from songform.bundle import Bundle
from songform.structure.states import StateModel

__all__ = ["print_labelled"]

MEASURES = ("boundary_f_0.5", "boundary_f_3", "trimmed_f_0.5", "trimmed_f_3", "pairwise_f", "v_f")
ROWS = {
    "songform": "songform",
    "every_20_s": "a boundary every 20 s",
    "one_section": "the song as one section",
    "people": "each person compared with the other",
}


def print_labelled(songs: Sequence[Described]) -> None:
    """Print the mean agreement of all songs; the states are discovered in the same songs."""
    model = fitted(songs)
    weak = ", ".join(f"{name} ({why})" for name, why in zip(model.states, model.weak, strict=True) if why) or "none"
    print(f"\n{len(songs)} labeled songs; the states are discovered in the same songs; weak names: {weak}\n")
    print(f"| segments | {' | '.join(MEASURES)} |")
    print(f"|---|{'--:|' * len(MEASURES)}")
    scores = [_scores(model, song) for song in songs]
    for who, words in ROWS.items():
        mean = mean_scores(score[who] for score in scores if who in score)
        if mean:
            print(f"| {words} | {' | '.join(f'{mean[measure]:.3f}' for measure in MEASURES)} |")
    lengths = [length for song in songs for length in _lengths(model, song)]
    print(f"\nThe median length of a segment is {median(lengths):.1f} s, the shortest {min(lengths):.1f} s.")


def _scores(model: StateModel, song: Described) -> dict[str, dict[str, float]]:
    form = Bundle(model, None, 0.0, tuple(song.features.columns)).form(song.features, song.overview, song.duration)
    people = {str(number): person for number, person in enumerate(song.people)}
    return song_scores(people, segment_annotation(form.segments), song.duration)


def _lengths(model: StateModel, song: Described) -> list[float]:
    form = Bundle(model, None, 0.0, tuple(song.features.columns)).form(song.features, song.overview, song.duration)
    return [segment.end - segment.start for segment in form.segments]

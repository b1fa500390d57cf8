"""Training of the model that is shipped with songform: `make pretrained`.

    python -m training.train_pretrained [--home FOLDER]

The command composes songs, plays them with two of songform's instrument sets and with FluidSynth, changes the sound of
half of them at random, and trains the state model and the networks on the true states. It needs Debian's packages
`fluidsynth`, `fluid-soundfont-gm`, `timgm6mb-soundfont` and `opl3-soundfont`, and takes about half an hour on two
cores. The songs are kept in the folder, so that they are played only once. The files are written to
``songform/pretrained/``.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, replace
from functools import partial
from pathlib import Path
from typing import Any

from songform.bundle import Bundle
from songform.features.frame_features import feature_columns
from songform.learning.calibration import Calibration
from songform.pretrained import PRETRAINED_FOLDER, START_FOLDER
from songform.structure.context import UNIT_SECONDS
from tasks.settings import Settings
from training.pretrained_model import Choice, Recipe, chosen, fitted_states, trained_sequence
from training.state_song_files import kept_songs
from training.state_songs import FAMILIES, SHAPE, SOFT, SOUNDFONTS, StateSong, state_songs

__all__ = ["RECIPE", "TEST_SEED", "TEST_SONGS", "even_songs", "main", "training_songs", "tuning_songs"]

# (number of songs per family, seed of the first family, whether the sound is changed at random). The songs of the first
# row have the same scores in all families.
TRAINING = ((120, 72_000, False), (120, 73_000, True))
TUNING_SONGS, TUNING_SEED = 40, 71_000
TEST_SONGS, TEST_SEED = 40, 79_000  # these songs choose nothing
RECIPE = Recipe()
LSTM = Recipe(name="lstm", inputs=("features",))
"""The network that `songform train` has by default."""


def main(arguments: Sequence[str] | None = None) -> None:
    """Train the models, and write them to the package."""
    parser = argparse.ArgumentParser(description="Train the model that is shipped with songform.")
    parser.add_argument("--home", type=Path, default=Path("build/pretrained"), help="folder for the played songs")
    options = parser.parse_args(arguments)
    began = time.monotonic()
    train, tuning = training_songs(options.home), tuning_songs(options.home)
    print(f"{len(train)} songs to train on, {len(tuning)} to choose with; {time.monotonic() - began:.0f} s", flush=True)
    choices = {}
    for recipe, folder in ((RECIPE, PRETRAINED_FOLDER), (LSTM, START_FOLDER)):
        choices[recipe.name] = chosen(recipe, train, tuning)
        folder.mkdir(exist_ok=True)
        trained_bundle(train, choices[recipe.name], recipe).save(folder)
    card = _card(train, tuning, choices) | {"minutes": round((time.monotonic() - began) / 60)}
    (PRETRAINED_FOLDER / "card.json").write_text(json.dumps(card, indent=2) + "\n", encoding="utf-8")


def trained_bundle(train: Sequence[StateSong], choice: Choice, recipe: Recipe) -> Bundle:
    """Train state model and network on all songs, with the parameters that were chosen on families left out."""
    epochs = choice.n_stages * recipe.stage_epochs
    sequence = trained_sequence(replace(recipe, n_stages=choice.n_stages), train)
    bundle = Bundle(fitted_states(train), sequence, choice.weight, tuple(feature_columns()), _settings(recipe, epochs))
    return replace(bundle, calibration=Calibration(choice.temperature, "composed"))


def training_songs(home: Path) -> list[StateSong]:
    """Return the songs to train on, of all families."""
    return [song for number in range(len(TRAINING)) for family in FAMILIES for song in _part(home, family, number)]


def tuning_songs(home: Path) -> list[StateSong]:
    """Return the songs to choose parameters with."""
    return list(even_songs(home, "tuning", TUNING_SONGS, TUNING_SEED))


def even_songs(home: Path, name: str, n_songs: int, seed: int) -> Iterator[StateSong]:
    """Yield the same scores in all families, with strong and soft contrasts, and without random changes of the sound.

    Parameters
    ----------
    home : Path
        Folder for the played songs.
    name : str
        Beginning of the names of their files.
    n_songs, seed : int
        Number of scores, and random seed.
    """
    for family in FAMILIES:
        for contrast in (1.0, SOFT):
            make = partial(state_songs, family, n_songs, seed, contrast=contrast)
            yield from kept_songs(home / f"{name}-{family}-{contrast:g}.npz", make)


def _part(home: Path, family: str, number: int) -> list[StateSong]:
    n_songs, _, is_augmented = TRAINING[number]
    make = partial(state_songs, family, n_songs, _seed(family, number), is_augmented=is_augmented)
    return kept_songs(home / f"train-{number}-{family}.npz", make)


def _seed(family: str, number: int) -> int:
    """Return the seed of a part of the training songs of a family."""
    _, seed, is_augmented = TRAINING[number]
    return seed + (FAMILIES.index(family) if is_augmented else 0)


def _settings(recipe: Recipe, epochs: int) -> dict[str, Any]:
    """Return the settings of a training with the same states, inputs, network and number of epochs."""
    own = {
        "states": {"prior_songs": 0},
        "sequences": {
            "inputs": recipe.inputs,
            "pool_seconds": SHAPE.pool_seconds,
            "every_unit": True,
            "stretch_seconds": recipe.most_units * SHAPE.pool_seconds,
        },
        "model": {
            "name": recipe.name,
            "seed": recipe.seed,
            "epochs": epochs,
            "patience": epochs,  # the length of the training was chosen before, so it does not stop early
            "batch_stretches": recipe.batch_size,
            "learning_rate": recipe.learning_rate,
        },
    }
    sections = {"frames", "features", "states", "sequences", "model"}
    return Settings.model_validate(own).model_dump(mode="json", include=sections)


def _card(train: Sequence[StateSong], tuning: Sequence[StateSong], choices: Mapping[str, Choice]) -> dict[str, Any]:
    """Return what the models were trained on, how, and the scores on families that were left out."""
    return {
        "command": "make pretrained",
        "songs": {family: sum(song.family == family for song in train) for family in FAMILIES},
        "seeds": {family: [_seed(family, number) for number in range(len(TRAINING))] for family in FAMILIES},
        "songs_to_choose_with": {family: sum(song.family == family for song in tuning) for family in FAMILIES},
        "seed_to_choose_with": TUNING_SEED,
        "hours": round(sum(len(song.truth) for song in train) * UNIT_SECONDS / 3600, 1),
        "soundfonts": [path.name for path in SOUNDFONTS],
        "networks": {recipe.name: asdict(recipe) for recipe in (RECIPE, LSTM)},
        "chosen_on_families_left_out": {name: _rounded(asdict(choice)) for name, choice in choices.items()},
    }


def _rounded(value: Any) -> Any:
    """Return nested JSON values with numbers of four decimals."""
    if isinstance(value, dict):
        return {name: _rounded(each) for name, each in value.items()}
    if isinstance(value, list):
        return [_rounded(each) for each in value]
    return round(value, 4)


if __name__ == "__main__":
    main()

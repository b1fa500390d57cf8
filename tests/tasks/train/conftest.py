"""Fixtures: a corpus to train on, and functions that change settings and ingest songs."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tasks.ingest.extract_tracks import extract_tracks
from tasks.ingest.sources.local_files import local_listing
from tasks.settings import Settings
from tasks.store.corpus import Corpus


@pytest.fixture
def home(extracted: Path, tmp_path: Path) -> Path:
    """Copy the corpus of six songs, without any model."""
    return Path(shutil.copytree(extracted, tmp_path / "home"))


@pytest.fixture(scope="session")
def changed() -> Callable[..., Settings]:
    """Return a function that changes some settings of some sections."""

    def change(settings: Settings, **sections: dict[str, Any]) -> Settings:
        values = settings.model_dump()
        for section, names in sections.items():
            values[section] |= names
        return Settings.model_validate(values)

    return change


@pytest.fixture(scope="session")
def ingest() -> Callable[[Path, Path, Settings], Any]:
    """Return a function that extracts the local files of a folder, without a Prefect server."""

    def extract(home: Path, folder: Path, settings: Settings) -> Any:
        Corpus(home).prepare()
        tracks = local_listing(folder).tracks
        return extract_tracks.fn(home, [(track, Path(track.path)) for track in tracks], settings, len(tracks))

    return extract

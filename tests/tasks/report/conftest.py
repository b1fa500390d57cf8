"""A home with extracted songs of its own, because reports write tables of beats to it."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest


@pytest.fixture(scope="session")
def extracted(extracted: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a copy of the home with the features of the songs."""
    return Path(shutil.copytree(extracted, tmp_path_factory.mktemp("reported") / "home"))

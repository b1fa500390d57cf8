"""Golden values: stored outputs of each stage for a small fixed input, with the `VERSION` of the modules involved.

A file under `data/` that exists counts as up to date, because its path depends on the `VERSION` of the modules that
computed it. This is only correct if every change of an output comes with a new VERSION. Each test passes the output of
one stage to `Golden.check`, which compares it with `values/<stage>.json`. The test fails if the output changed and no
VERSION was increased, or if a VERSION was decreased.

After an intended change, increase the VERSION and write the values again:

    .venv/bin/python -m pytest tests/golden --update-golden

Numbers are compared within a tolerance. A digest of rounded values would not work: the last bits differ between
processors and between versions of NumPy, SciPy and TensorFlow, so some values would round differently. Discrete values
(names, indices, text) are compared exactly.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pandas as pd
import pytest
from numpy.typing import NDArray

from songform.features.frame_features import feature_columns
from songform.features.overview import Overview
from songform.structure.naming import ARCHETYPES, STATES
from songform.structure.segments import Segment
from songform.structure.states import StateModel, fit_states

TOLERANCE = 1e-4
DIGITS = 6
COMMAND = ".venv/bin/python -m pytest tests/golden --update-golden"
ROOT = Path(__file__).parents[2]

_INNERMOST = re.compile(r"\[\n([^\[\]{}]*)\]")


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the option that writes the golden values instead of comparing them."""
    parser.addoption(
        "--update-golden", action="store_true", help="write the golden values of tests/golden instead of comparing them"
    )


@dataclass(frozen=True)
class Golden:
    """Stored outputs of all stages.

    Parameters
    ----------
    folder : Path
        Folder with one file per stage.
    is_update : bool
        Whether changed values are written instead of reported as failures.
    """

    folder: Path
    is_update: bool = False

    def check(
        self, stage: str, modules: Sequence[ModuleType], output: dict[str, Any], *, tolerance: float = TOLERANCE
    ) -> None:
        """Compare the output of a stage with the stored one, or store it.

        Parameters
        ----------
        stage : str
            Name of the stage and of its file.
        modules : sequence of module
            Modules whose `VERSION` must increase when the output changes: first the stage's own module, then those of
            earlier stages that the output depends on. Empty if no `VERSION` guards the output.
        output : dict
            Numbers, text, arrays, and lists and dicts of them.
        tolerance : float
            Largest allowed difference of a number, relative to the largest number of its array.
        """
        path = self.folder / f"{stage}.json"
        versions = {module.__name__: module.VERSION for module in modules}
        found = plain(output)
        stored = json.loads(path.read_text(encoding="utf-8")) if path.is_file() else None
        before = stored["versions"] if stored else {}
        changes = list(differences(stored["output"], found, tolerance)) if stored else ["no values are stored yet"]
        if decreased := _decreased(before, versions):
            pytest.fail(f"{_name(path)}: VERSION was decreased in {decreased}; a VERSION must never be used twice")
        if stored and changes and (before or versions) and not _is_increased(before, versions):
            pytest.fail(_not_increased(stage, list(versions or before), path, changes))
        if not changes and versions == before:
            return
        if not self.is_update:
            pytest.fail(_out_of_date(stage, path, versions, changes))
        path.write_text(written({"versions": versions, "output": found}), encoding="utf-8")


def plain(value: Any) -> Any:
    """Return a value as plain JSON types: arrays as lists, floats with six digits, NaN and infinity as text."""
    if isinstance(value, dict):
        return {str(key): plain(part) for key, part in value.items()}
    if isinstance(value, np.ndarray):
        return plain(value.tolist())
    if isinstance(value, list | tuple):
        return [plain(part) for part in value]
    if isinstance(value, np.generic):
        return plain(value.item())
    if isinstance(value, float):
        return float(f"{value:.{DIGITS}g}") if np.isfinite(value) else str(value)
    return value


def written(document: dict[str, Any]) -> str:
    """Return JSON that is readable in a diff: each innermost list is one line."""
    text = json.dumps(document, indent=1, ensure_ascii=False) + "\n"
    return _INNERMOST.sub(lambda found: "[" + re.sub(r"\s*\n\s*", " ", found[1].strip()) + "]", text)


def differences(stored: Any, found: Any, tolerance: float, place: str = "output") -> Iterator[str]:
    """Yield one sentence per part of an output that differs from the stored one."""
    if isinstance(stored, dict) and isinstance(found, dict) and stored.keys() == found.keys():
        for key in stored:
            yield from differences(stored[key], found[key], tolerance, f"{place}.{key}")
    elif _is_table(stored) and _is_table(found):
        yield from _table_differences(stored, found, tolerance, place)
    elif isinstance(stored, list) and isinstance(found, list) and len(stored) == len(found):
        for number, (one, other) in enumerate(zip(stored, found, strict=True)):
            yield from differences(one, other, tolerance, f"{place}[{number}]")
    elif _is_real(stored) and _is_real(found):
        yield from _table_differences([stored], [found], tolerance, place)
    elif type(stored) is not type(found) or stored != found:
        yield f"{place} was {_shown(stored)} and is now {_shown(found)}"


def _table_differences(stored: list[Any], found: list[Any], tolerance: float, place: str) -> Iterator[str]:
    """Compare two arrays of real numbers; NaN and infinite values must be equal."""
    one, other = np.array(stored, np.float64), np.array(found, np.float64)
    if one.shape != other.shape:
        yield f"{place} had the shape {one.shape} and now has the shape {other.shape}"
        return
    finite = np.isfinite(one) & np.isfinite(other)
    allowed = tolerance * np.abs(one[finite]).max(initial=0.0)
    is_off = np.ones(one.shape, dtype=bool)
    is_off[finite] = np.abs(one[finite] - other[finite]) > allowed
    is_off[~finite] = [str(a) != str(b) for a, b in zip(one[~finite], other[~finite], strict=True)]
    if is_off.any():
        first = tuple(np.argwhere(is_off)[0].tolist())
        where = "".join(f"[{index}]" for index in first) if len(one) > 1 else ""
        yield f"{place}{where} was {one[first]:.6g} and is now {other[first]:.6g} ({is_off.sum()} of {one.size} differ)"


def _is_table(value: Any) -> bool:
    """Return whether a value is an array of real numbers with any number of dimensions."""
    if not isinstance(value, list) or not value:
        return False
    if all(isinstance(part, list) for part in value):
        return len({len(part) for part in value}) == 1 and all(map(_is_table, value))
    return any(map(_is_real, value)) and all(_is_real(part) or type(part) is int for part in value)


def _is_real(value: Any) -> bool:
    return isinstance(value, float) or (isinstance(value, str) and value in {"nan", "inf", "-inf"})


def _shown(value: Any) -> str:
    text = json.dumps(value, ensure_ascii=False)
    return text if len(text) <= 200 else f"{text[:200]}..."


def _decreased(before: dict[str, int], versions: dict[str, int]) -> str:
    """Return the names of modules whose VERSION is smaller than the stored one, with both numbers."""
    smaller = [name for name in versions if name in before and versions[name] < before[name]]
    return ", ".join(f"{name} ({before[name]} to {versions[name]})" for name in smaller)


def _is_increased(before: dict[str, int], versions: dict[str, int]) -> bool:
    """Return whether a VERSION is greater than the stored one; modules that are not stored yet are ignored."""
    return any(versions[name] > before[name] for name in versions if name in before)


def _not_increased(stage: str, modules: list[str], path: Path, changes: list[str]) -> str:
    earlier = f" (or in the one of {', '.join(modules[1:])} whose output changed)" if modules[1:] else ""
    return (
        f"the output of {stage} changed; if the change is intended, increase VERSION in {modules[0]}{earlier}, "
        f"and update {_name(path)} with {COMMAND}\n{_listed(changes)}"
    )


def _out_of_date(stage: str, path: Path, versions: dict[str, int], changes: list[str]) -> str:
    numbers = ", ".join(f"{module} {version}" for module, version in versions.items())
    what = (
        f"contains the output of a different VERSION (now {numbers})"
        if versions
        else f"contains a different output of {stage}"
    )
    return f"{_name(path)} {what}; if the change is intended, update the file with {COMMAND}\n{_listed(changes)}"


def _listed(changes: list[str]) -> str:
    return "\n".join(f"- {change}" for change in changes[:10])


def _name(path: Path) -> str:
    return path.relative_to(ROOT).as_posix() if path.is_relative_to(ROOT) else str(path)


@pytest.fixture
def golden(request: pytest.FixtureRequest) -> Golden:
    """Return the stored outputs of all stages."""
    return Golden(Path(__file__).parent / "values", bool(request.config.getoption("--update-golden", default=False)))


@pytest.fixture
def new_golden(tmp_path: Path) -> Golden:
    """Return an empty store that writes new values, for tests of `Golden` itself."""
    return Golden(tmp_path, is_update=True)


SECONDS = 40
FRAMES_PER_SECOND = 10
_SECTION_SECONDS = 8
_LEVELS = (0.02, 0.12, 0.5, 0.12, 0.03)  # one per section of the song


@pytest.fixture(scope="session")
def song_features() -> pd.DataFrame:
    """Return the features of a song of five sections, computed by formula: 10 frames per second, 3 MFCCs."""
    time, section = _times()
    level = np.array(_LEVELS)[section] * (1 + 0.3 * np.sin(2 * np.pi * time / 2))
    level[time >= SECONDS - 2] = 1e-6  # silence at the end
    names = feature_columns(3)
    columns = {
        name: (number + 1) * np.sin((0.7 + 0.31 * number) * time + 1.3 * section * (number + 1) + 0.2)
        for number, name in enumerate(names)
    }
    rise = np.where(section == 1, time - _SECTION_SECONDS, 0.0)
    columns |= {"rms_mean": level, "rms_std": level / 5, "zcr_mean": 0.1 + level / 10}
    columns |= {"centroid_hz": 900 + 70 * rise + 40 * np.sin(time), "bandwidth_hz": 700 + 200 * level}
    columns |= {"rolloff_hz": 2500 + 100 * rise}
    index = pd.Index(time, name="time_s")
    return pd.DataFrame({name: columns[name] for name in names}, index=index).astype(np.float32)


@pytest.fixture(scope="session")
def song_overview() -> Overview:
    """Return the overview of the same song, computed by formula: one frame per row."""
    time, section = _times()
    level = np.array(_LEVELS)[section]
    bands, pitches = np.arange(64), np.arange(12)
    rows = 120 + 40 * np.sin(bands / 7 + 2.1 * section[:, None]) + 60 * np.log10(10 * level)[:, None]
    chroma = 0.5 + 0.5 * np.sin(pitches * (1 + section[:, None]) + 0.1 * time[:, None])
    return Overview(
        time_s=time - 0.5 / FRAMES_PER_SECOND,
        wave_min=(-1.2 * level).astype(np.float32),
        wave_max=(1.3 * level).astype(np.float32),
        logmel=np.clip(np.floor(rows) + 0.25, 0, 255).astype(np.uint8),
        chroma=chroma.astype(np.float32),
        low_share=(0.2 + 0.1 * np.sin(time / 3 + section)).astype(np.float32),
        onset=(1 + np.sin(5 * time) ** 2 * (1 + section)).astype(np.float32),
        frame_counts=np.ones(len(time), np.int32),
    )


def _times() -> tuple[NDArray[np.float64], NDArray[np.intp]]:
    """Return the center and the section of each frame."""
    time = (np.arange(SECONDS * FRAMES_PER_SECOND) + 0.5) / FRAMES_PER_SECOND
    return time, (time // _SECTION_SECONDS).astype(np.intp)


@pytest.fixture(scope="session")
def song_segments() -> list[Segment]:
    """Return segments of the same song; except at its start, none of them begins where a section begins."""
    edges = [0.0, 7.5, 16.5, 24.5, 31.5, 40.0]
    return [
        Segment(a, b, s, round(0.9 - n / 10, 1))
        for n, (a, b, s) in enumerate(zip(edges, edges[1:], STATES, strict=False))
    ]


@pytest.fixture(scope="session")
def song_vectors() -> NDArray[np.float64]:
    """Return vectors of 60 units near five points, one per archetype: 4 features, then the context."""
    state, place = np.arange(60) % len(ARCHETYPES), np.arange(60)[:, None]
    features = np.sin(2.0 * state[:, None] + np.arange(4)) + 0.1 * np.sin(1.7 * place + np.arange(4))
    context = ARCHETYPES[state] + 0.1 * np.sin(2.3 * place + np.arange(ARCHETYPES.shape[1]))
    return np.hstack([features, context])


@pytest.fixture(scope="session")
def song_states(song_vectors) -> StateModel:
    """Return the states fitted on these vectors."""
    return fit_states([song_vectors], sr=8000, hop_length=800)

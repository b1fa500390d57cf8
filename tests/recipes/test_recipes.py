"""Tests of the recipes in docs/extending.md, in a copy of the code.

Each recipe is applied as edits of the files that the page names. A script in this folder then checks the extension in a
process that imports the copy.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import pytest

from tasks.settings import Settings
from tasks.store.tables import features_config

ROOT = Path(__file__).parents[2]
SCRIPTS = Path(__file__).parent


class Edit(NamedTuple):
    """Replacement of a text that occurs exactly once in a file."""

    path: str
    before: str
    after: str


def added(path: str, before: str, line: str) -> Edit:
    """Return the edit that inserts text after another text."""
    return Edit(path, before, before + line)


def line_of(path: str, start: str) -> str:
    """Return the only line of a file that starts with a text."""
    (line,) = [
        line for line in (ROOT / path).read_text(encoding="utf-8").splitlines(keepends=True) if line.startswith(start)
    ]
    return line


def increased(path: str) -> Edit:
    """Return the edit that increases the VERSION of a module by one."""
    (version,) = re.findall(r"^VERSION = (\d+)", (ROOT / path).read_text(encoding="utf-8"), re.MULTILINE)
    return Edit(path, f"\nVERSION = {version}", f"\nVERSION = {int(version) + 1}")


DESCRIPTORS = "songform/features/descriptors.py"
CONTEXT, NAMING, STATES = (f"songform/structure/{name}.py" for name in ("context", "naming", "states"))
FORMATS = "songform/annotation/formats/__init__.py"
NETWORKS = "songform/learning/networks.py"
INPUTS = "songform/learning/sequence_inputs.py"

CREST = """
    def _crest(self, magnitude: NDArray[Any]) -> NDArray[Any]:
        bins = magnitude[:, : len(self._frequency)]
        mean = bins.mean(axis=1)
        crest: NDArray[Any] = bins.max(axis=1) / np.where(mean > 0, mean, 1)
        return crest
"""
JSON_LINES = '''"""JSON Lines: one JSON object per line, with `start`, `end`, `label` and optionally `confidence`."""

from __future__ import annotations

import json
import math

from songform.annotation.annotations import Annotation
from songform.annotation.formats.label_rows import Row, annotation_of, lines_of
from songform.errors import AnnotationError


def read(text: str) -> Annotation:
    """Read an annotation."""
    return annotation_of([_row(place, line) for place, line in lines_of(text)])


def _row(place: str, line: str) -> Row:
    try:
        found = json.loads(line)
        start, end, confidence = found["start"], found["end"], found.get("confidence", math.nan)
        return Row(place, float(start), float(end), str(found["label"]), float(confidence))
    except (AttributeError, KeyError, OverflowError, RecursionError, TypeError, ValueError) as error:
        raise AnnotationError(f"{place} is not a JSON object with start, end and label") from error


def write(annotation: Annotation) -> str:
    """Write an annotation."""
    rows = zip(annotation.intervals.tolist(), annotation.labels, annotation.confidences.tolist(), strict=True)
    lines = (
        {"start": start, "end": end, "label": label} | ({} if math.isnan(sure) else {"confidence": sure})
        for (start, end), label, sure in rows
    )
    return "".join(json.dumps(line) + "\\n" for line in lines)


def recognizes(text: str) -> bool:
    """Return whether the first line of a text is of this format."""
    return text.startswith('{"start":')
'''
GRU = '''
def gru_network(
    n_inputs: int, n_states: int, *, every_unit: bool = False, learning_rate: float = 0.001, seed: int = 0
) -> Network:
    """Return one layer of gated recurrent units and a softmax, untrained."""
    layers = _Layers(seed)
    stack = [_keras().layers.GRU(8, return_sequences=every_unit), layers.softmax(n_states)]
    return _network("songform_gru", n_inputs, stack, every_unit=every_unit, learning_rate=learning_rate)


'''

RECIPES = {
    "A feature column": [
        added(DESCRIPTORS, '"db_mean", "db_std", "db_max"', ', "crest"'),
        added(
            DESCRIPTORS,
            "            *self._level_statistics(block.magnitude),\n",
            "            self._crest(block.magnitude),\n",
        ),
        Edit(DESCRIPTORS, "\n    def _rolloff(", f"{CREST}\n    def _rolloff("),
        increased("songform/features/frame_features.py"),
    ],
    "A state descriptor": [
        added(
            CONTEXT,
            line_of(CONTEXT, '    "abs_slope": '),
            '    "brightness": "brightness compared with the rest of the song",\n',
        ),
        added(
            CONTEXT,
            "        stretch_means(units.abs_slope, bounds),\n",
            "        stretch_means(curves.brightness, bounds),\n",
        ),
        added(
            CONTEXT,
            "        stretch_means(units.abs_slope[start:], whole),\n",
            "        stretch_means(tail.brightness, whole),\n",
        ),
        *(
            Edit(NAMING, f"],  # {state}\n", f", {value}],  # {state}\n")
            for state, value in (
                ("Calm", -0.3),
                ("BuildUp", 0.1),
                ("Energetic", 0.3),
                ("Transition", 0.0),
                ("Repetitive", 0.0),
            )
        ),
        Edit(STATES, "[1.0, 1.0, 1.0, 1.5, 1.0, 1.0]", "[1.0, 1.0, 1.0, 1.5, 1.0, 1.0, 0.5]"),
        *map(increased, (CONTEXT, NAMING, STATES)),
        added("songform/pages/figures.py", '    "recurrence": 64,\n', '    "brightness": 64,\n'),
    ],
    "A format of labels": [
        Edit("songform/annotation/formats/json_lines.py", "", JSON_LINES),
        Edit(
            FORMATS,
            "    jams_file,\n    lab,\n",
            "    jams_file,\n    json_lines,\n    lab,\n",
        ),
        added(
            FORMATS,
            "FORMATS: dict[str, LabelFormat] = {\n",
            '    "json_lines": LabelFormat(json_lines.read, json_lines.write, json_lines.recognizes, (".jsonl",), '
            '".jsonl", has_confidences=True),\n',
        ),
        added("tasks/annotate/annotations.py", 'LABEL_SUFFIXES = (".labels.txt", ', '".jsonl", '),
    ],
    "A model": [
        Edit(NETWORKS, "\nNETWORKS:", f"{GRU}NETWORKS:"),
        added(NETWORKS, '    "lstm": Architecture(lstm_network),\n', '    "gru": Architecture(gru_network),\n'),
    ],
    "An input of the networks": [
        added(INPUTS, 'INPUTS = (*FEATURES_ONLY, "context", "beats", "sections"', ', "position"'),
        added(INPUTS, '"beats": 4, "sections": 3', ', "position": 1'),
        added(
            INPUTS,
            '        "sections": lambda: _sections(song.sections, centres),\n',
            '        "position": lambda: (centres / shape.unit_seconds / len(centres))[:, None],\n',
        ),
        added("tasks/settings.py", '"context", "beats", "sections"', ', "position"'),
    ],
}


@pytest.fixture
def extended(tmp_path: Path) -> Callable[[str], Path]:
    """Return a function that applies a recipe to a copy of the code, and returns the folder of the copy."""

    def extend(title: str) -> Path:
        copy = tmp_path / "copy"
        for package in ("songform", "tasks"):
            shutil.copytree(ROOT / package, copy / package)
        for path, before, after in RECIPES[title]:
            file = copy / path
            text = file.read_text(encoding="utf-8") if file.exists() else ""
            assert text.count(before) == 1, f"{path} must contain this text exactly once: {before!r}"
            file.write_text(text.replace(before, after), encoding="utf-8")
        return copy

    return extend


def run(script: str, copy: Path, *arguments: str) -> None:
    """Run a script of this folder, which fails if an assertion fails, with the packages of the copy."""
    home = copy.parent / "home"
    home.mkdir()
    done = subprocess.run(
        [sys.executable, SCRIPTS / script, home, *arguments],
        cwd=home,
        env=os.environ | {"PYTHONPATH": str(copy)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr


def recipes_section() -> str:
    """Return the section of docs/extending.md with the recipes."""
    page = (ROOT / "docs" / "extending.md").read_text(encoding="utf-8")
    return page.partition("## How to extend\n")[2].partition("\n## ")[0]


def recipe(title: str) -> str:
    """Return the text of a recipe."""
    section = recipes_section()
    (text,) = re.findall(rf"^- \*\*{title}\.\*\*(.*?)(?=^- |^\n|\Z)", section, re.MULTILINE | re.DOTALL)
    return text


def test_every_recipe_of_the_documentation_is_tested() -> None:
    assert re.findall(r"^- \*\*(.+?)\.\*\*", recipes_section(), re.MULTILINE) == list(RECIPES)


@pytest.mark.parametrize("title", RECIPES)
def test_recipe_names_exactly_the_files_that_it_changes(title: str) -> None:
    named = {path for path in re.findall(r"`([\w./]+)`", recipe(title)) if path.startswith(("songform/", "tasks/"))}
    changed = {edit.path for edit in RECIPES[title]}
    new = {path for path in changed if not (ROOT / path).exists()}
    assert named == (changed - new) | {f"{Path(path).parent.as_posix()}/" for path in new}


@pytest.mark.parametrize("title", RECIPES)
def test_paths_and_names_in_recipes_exist(title: str) -> None:
    quoted = re.findall(r"`([\w./]+)`", recipe(title))
    paths = [name for name in quoted if "/" in name]
    assert [path for path in paths if not (ROOT / path).exists()] == []
    code = "".join((ROOT / path).read_text(encoding="utf-8") for path in paths if path.endswith(".py"))
    assert [name for name in quoted if "/" not in name and name.rpartition(".")[2] not in code] == []


def test_new_feature_column_is_computed_and_written(extended: Callable[[str], Path]) -> None:
    run("feature_column.py", extended("A feature column"), features_config(Settings()))


def test_new_state_descriptor_is_used_by_the_states_and_shown_on_the_page(extended: Callable[[str], Path]) -> None:
    run("state_descriptor.py", extended("A state descriptor"))


def test_new_label_format_is_read_recognized_and_exported(extended: Callable[[str], Path]) -> None:
    run("label_format.py", extended("A format of labels"))


def test_new_model_is_trained_by_its_name_and_loaded_from_its_bundle(extended: Callable[[str], Path]) -> None:
    run("network.py", extended("A model"))


def test_new_input_is_computed_and_kept_from_networks_that_must_not_read_it(extended: Callable[[str], Path]) -> None:
    run("network_input.py", extended("An input of the networks"))

"""The Python in the documentation runs, and the files that it names exist."""

from __future__ import annotations

import re
from pathlib import Path

import matplotlib as mpl
import numpy as np
import pandas as pd
import pytest

from songform.features.frame_features import FEATURE_COLUMNS
from songform.output.segment_table import replaced_rows, segment_rows
from tasks.store.tables import write_table

ROOT = Path(__file__).parents[1]
PAGE = ROOT / "docs" / "librosa.md"


def test_every_file_and_folder_that_the_documentation_names_exists() -> None:
    pages = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *(ROOT / "docs").glob("*.md")]
    named = {
        (page.name, path)
        for page in pages
        for path in re.findall(r"`((?:songform|tasks|flows|tests|benchmarks|docs)/[\w/.-]*)`", page.read_text("utf-8"))
    }
    assert len(named) > 60
    assert sorted(each for each in named if not (ROOT / each[1]).exists()) == []


def test_the_page_on_librosa_runs_from_top_to_bottom() -> None:
    """Its own assertions compare both libraries; what it draws shows the song's whole length."""
    mpl.use("Agg")
    names: dict[str, object] = {}
    for block in re.findall(r"```python\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL):
        exec(block, names)
    _, end = names["below"].get_xlim()
    assert abs(end - len(names["y"]) / names["sr"]) < 1
    assert 40 < float(names["tempo"][0]) < 240


def test_the_readmes_questions_to_the_table_of_segments_have_answers(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Two songs: the longest build-up is the second's, and the section most like the first one its twin."""
    rng = np.random.default_rng(3)
    times, values = np.arange(40) * 0.5, rng.standard_normal((40, len(FEATURE_COLUMNS)))
    values[30:] = values[:10]
    features = pd.DataFrame(values, index=times, columns=list(FEATURE_COLUMNS))

    def rows(title: str, *edges: float) -> object:
        segments = [
            {"start": a, "end": b, "state": state, "confidence": 0.5}
            for a, b, state in zip(edges[:-1], edges[1:], ("Calm", "BuildUp", "Calm"), strict=True)
        ]
        track = {"key": title, "title": title}
        return segment_rows({"track": track, "model": {"id": "own"}, "segments": segments}, features)

    write_table(
        tmp_path / "data" / "segments.parquet", replaced_rows(None, [rows("a", 0, 5, 9, 20), rows("b", 0, 6, 15, 20)])
    )
    (block,) = [
        text
        for text in re.findall(r"```python\n(.*?)```", (ROOT / "README.md").read_text(), re.DOTALL)
        if "segments.parquet" in text
    ]
    monkeypatch.chdir(tmp_path)
    names: dict[str, object] = {}
    exec(block, names)
    table = names["table"]
    assert isinstance(table, pd.DataFrame)
    assert table.distance.nsmallest(2).index.tolist() == [0, 5]
    assert table.length.tolist() == [5, 4, 11, 6, 9, 5]
    said = [line.split() for line in capsys.readouterr().out.splitlines()]
    assert said[1] == ["4", "b", "6.0", "15.0", "9.0"]
    assert said[3] == ["title", "start", "end", "state", "distance"]
    assert [line[:2] for line in said[4:]] == [["5", "b"], ["3", "b"], ["4", "b"]]  # none of the first song's own

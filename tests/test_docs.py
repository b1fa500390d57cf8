"""Tests that the Python code in the documentation runs, and that the files, pages and sections it names exist."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import matplotlib as mpl
import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
import soundfile

from songform import compose
from songform.features.frame_features import FEATURE_COLUMNS
from songform.output.segment_table import LAYOUT, segment_rows
from songform.output.song_rows import replaced_rows
from tasks.store.tables import write_table

ROOT = Path(__file__).parents[1]
DOCS = ROOT / "docs"
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted(DOCS.glob("*.md"))]


def python_blocks(page: Path) -> list[str]:
    """Return the blocks of Python code of a page."""
    return re.findall(r"```python\n(.*?)```", page.read_text(encoding="utf-8"), re.DOTALL)


def links(page: Path) -> Iterator[tuple[Path, str]]:
    """Yield the file and the section (empty if none is named) of each link of a page to a file of the repository."""
    for target in re.findall(r"\]\(([^)\s]+)\)", page.read_text(encoding="utf-8")):
        if "://" not in target:
            path, _, section = target.partition("#")
            yield ((page.parent / path).resolve() if path else page), section


def sections(page: Path) -> set[str]:
    """Return the anchors that GitHub gives to the headings of a page."""
    text = re.sub(r"```.*?```", "", page.read_text(encoding="utf-8"), flags=re.DOTALL)
    headings = re.findall(r"^#+ (.+)$", text, re.MULTILINE)
    return {re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-") for heading in headings}


def test_every_file_and_folder_named_in_the_documentation_exists() -> None:
    named = {
        (page.name, path)
        for page in PAGES
        for path in re.findall(r"`((?:songform|tasks|flows|tests|benchmarks|docs)/[\w/.-]*)`", page.read_text("utf-8"))
    }
    assert len(named) > 60
    assert sorted(each for each in named if not (ROOT / each[1]).exists()) == []


def test_every_link_leads_to_an_existing_file_and_section() -> None:
    found = {(page.name, *link) for page in PAGES for link in links(page)}
    assert len(found) > 60
    assert sorted(str(link) for link in found if not link[1].exists()) == []
    assert sorted(str(link) for link in found if link[2] and link[2] not in sections(link[1])) == []


def test_index_links_to_every_page() -> None:
    index = DOCS / "index.md"
    linked = {path for path, _ in links(index)}
    assert set(DOCS.glob("*.md")) - linked == {index}


def test_code_of_the_page_on_librosa_runs() -> None:
    """The assertions of the page compare both libraries. Its picture shows the whole song."""
    mpl.use("Agg")
    names: dict[str, object] = {}
    for block in python_blocks(DOCS / "librosa.md"):
        exec(block, names)
    _, end = names["below"].get_xlim()
    assert abs(end - len(names["y"]) / names["sr"]) < 1
    assert 40 < float(names["tempo"][0]) < 240


@pytest.mark.parametrize("page", ["features.md", "annotations.md", "composer.md"])
def test_code_of_a_page_runs_on_a_song_and_its_labels(
    page: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    song = compose(seed=3, duration=30.0)
    soundfile.write(tmp_path / "song.flac", song.y, song.sr)
    (tmp_path / "song.lab").write_text("0.0\t9.5\tCalm\n9.5\t20.0\tBuildUp\n", encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    names: dict[str, object] = {}
    blocks = python_blocks(DOCS / page)
    assert blocks
    for block in blocks:
        exec(block, names)


def test_library_example_of_the_readme_prints_segments_that_cover_the_song(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    song = compose(seed=3)
    soundfile.write(tmp_path / "song.flac", song.y, song.sr)
    monkeypatch.chdir(tmp_path)
    (block,) = python_blocks(ROOT / "README.md")
    exec(block, {})
    _, *segments = [line.split() for line in capsys.readouterr().out.splitlines()]
    starts, ends = ([float(segment[column]) for segment in segments] for column in (0, 1))
    assert starts == [0.0, *ends[:-1]]
    assert ends[-1] == pytest.approx(len(song.y) / song.sr, abs=0.05)
    assert len({segment[2] for segment in segments}) > 1


def test_example_queries_on_the_table_of_segments_return_the_expected_segments(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The second of two songs has the longest build-up, and a segment with the same features as the first segment."""
    rng = np.random.default_rng(3)
    times, values = np.arange(40) * 0.5, rng.standard_normal((40, len(FEATURE_COLUMNS)))
    values[30:] = values[:10]
    features = pd.DataFrame(values, index=times, columns=list(FEATURE_COLUMNS))

    def rows(title: str, *edges: float) -> pa.Table:
        segments = [
            {"start": a, "end": b, "state": state, "confidence": 0.5}
            for a, b, state in zip(edges[:-1], edges[1:], ("Calm", "BuildUp", "Calm"), strict=True)
        ]
        track = {"key": title, "title": title}
        report = {"track": track, "model": {"id": "own"}, "segments": segments, "sections": [], "phrases": []}
        return segment_rows(report, features)

    songs = {"a": rows("a", 0, 5, 9, 20), "b": rows("b", 0, 6, 15, 20)}
    write_table(tmp_path / "data" / "segments.parquet", replaced_rows(None, songs, LAYOUT))
    (block,) = [block for block in python_blocks(DOCS / "usage.md") if "segments.parquet" in block]
    monkeypatch.chdir(tmp_path)
    names: dict[str, object] = {}
    exec(block, names)
    table = names["table"]
    assert isinstance(table, pd.DataFrame)
    assert table.distance.nsmallest(2).index.tolist() == [0, 5]
    assert table.length.tolist() == [5, 4, 11, 6, 9, 5]
    lines = [line.split() for line in capsys.readouterr().out.splitlines()]
    assert lines[1] == ["4", "b", "6.0", "15.0", "9.0"]
    assert lines[3] == ["title", "start", "end", "state", "distance"]
    assert [line[:2] for line in lines[4:]] == [["5", "b"], ["3", "b"], ["4", "b"]]  # none of them in the first song

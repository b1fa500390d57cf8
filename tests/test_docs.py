"""The documentation's Python runs as it stands."""

from __future__ import annotations

import re
from pathlib import Path

import matplotlib as mpl

PAGE = Path(__file__).parents[1] / "docs" / "librosa.md"


def test_the_page_on_librosa_runs_from_top_to_bottom() -> None:
    """Its own assertions compare both libraries; what it draws shows the song's whole length."""
    mpl.use("Agg")
    names: dict[str, object] = {}
    for block in re.findall(r"```python\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL):
        exec(block, names)
    _, end = names["below"].get_xlim()
    assert abs(end - len(names["y"]) / names["sr"]) < 1
    assert 40 < float(names["tempo"][0]) < 240

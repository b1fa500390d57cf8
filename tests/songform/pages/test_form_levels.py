"""Tests of the levels of a song's form on its page."""

from __future__ import annotations

import pytest

from songform.pages.form_levels import form_levels
from songform.sections.section_finding import Sections, SongPart
from songform.structure.segments import Segment

PARTS = [SongPart(0.0, 1.0, "A", 1.0)]


@pytest.mark.parametrize(
    ("sections", "names"),
    [
        (Sections(PARTS, PARTS), ["states", "sections", "phrases"]),
        (Sections(PARTS, []), ["states", "sections"]),
        (Sections(reason="too short"), ["states"]),
    ],
)
def test_every_level_has_parts(sections, names):
    """A level without parts would break the page, which looks for the part at the playhead on each level."""
    levels = form_levels([Segment(0, 1, "Calm", 1.0)], ["Calm"], sections)
    assert [level.name for level in levels] == names
    assert all(level.parts for level in levels)

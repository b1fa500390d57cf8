"""Tempo and metre as text are the same in the terminal and on the page, also if they are unsure or missing."""

from __future__ import annotations

import numpy as np
import pytest

from flows.cli.terminal_timeline import beat_text
from songform.beats.beat_tracking import Beats
from songform.beats.tempo_text import tempo_text
from songform.pages.form_levels import tempo_words


@pytest.mark.parametrize(
    ("tempo", "metre", "is_sure", "text"),
    [
        (119.6, 3, True, "120 BPM, 3/4"),
        (90.0, 4, False, "90 BPM, 4/4 (unsure)"),
        (None, None, False, ""),
    ],
)
def test_terminal_and_page_show_the_same_text(tempo, metre, is_sure, text):
    document = {"beats": {"tempo": tempo, "metre": metre, "is_metre_sure": is_sure}}
    beats = Beats(np.empty(0), np.empty(0, np.intp), tempo, metre, is_metre_sure=is_sure, confidence=0.5)
    assert tempo_text(tempo, metre, is_metre_sure=is_sure) == text
    assert beat_text(document) == tempo_words(beats) == text

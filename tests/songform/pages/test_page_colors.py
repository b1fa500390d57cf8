"""Tones: colours that are seen on both grounds, with words that are read on them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from songform.pages.page_colors import DARK_GROUND, LIGHT_GROUND, contrast, state_tone
from songform.plots.palette import STATE_COLORS, state_color

labels = st.sampled_from([*STATE_COLORS]) | st.text(max_size=20)


def test_contrast_is_that_of_the_guidelines():
    """Their own examples: black on white is 21, a colour on itself 1, #777777 on white just under 4.5."""
    assert contrast("#000000", "#FFFFFF") == pytest.approx(21)
    assert contrast("#5B2A86", "#5B2A86") == 1
    assert contrast("#777777", "#FFFFFF") == contrast("#FFFFFF", "#777777") == pytest.approx(4.48, abs=0.005)


@given(labels)
def test_words_on_a_state_are_readable_on_both_grounds(label):
    tone = state_tone(label)
    assert contrast(tone.light, tone.light_ink) >= 4.5
    assert contrast(tone.dark, tone.dark_ink) >= 4.5


@given(labels)
def test_a_state_is_seen_on_the_dark_ground_and_on_the_light_one_has_its_colour(label):
    tone = state_tone(label)
    assert contrast(tone.dark, DARK_GROUND) >= 3
    assert tone.light == state_color(label)


def test_only_what_would_not_be_seen_is_changed():
    changed = {state for state in STATE_COLORS if state_tone(state).dark != state_tone(state).light}
    assert changed == {state for state in STATE_COLORS if contrast(state_color(state), DARK_GROUND) < 3}
    assert changed == {"Transition", "State 7"}


def test_the_grounds_are_those_of_the_style_sheet():
    from songform.pages.markup import asset

    assert f"--ground: light-dark({LIGHT_GROUND}, {DARK_GROUND})".lower() in asset("theme.css").lower()

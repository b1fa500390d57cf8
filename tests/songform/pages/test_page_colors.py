"""Tests of the colors of states and letters: contrast to the background and to text, in both themes."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from songform.pages.page_colors import DARK_GROUND, LIGHT_GROUND, contrast, section_tone, state_tone
from songform.plots.palette import STATE_COLORS, section_color, state_color

labels = st.sampled_from([*STATE_COLORS]) | st.text(max_size=20)


def test_contrast_agrees_with_the_guidelines():
    """Black on white has 21, a color on itself 1, #777777 on white slightly less than 4.5."""
    assert contrast("#000000", "#FFFFFF") == pytest.approx(21)
    assert contrast("#5B2A86", "#5B2A86") == 1
    assert contrast("#777777", "#FFFFFF") == contrast("#FFFFFF", "#777777") == pytest.approx(4.48, abs=0.005)


@given(labels)
def test_text_on_a_state_is_readable_in_both_themes(label):
    tone = state_tone(label)
    assert contrast(tone.light, tone.light_ink) >= 4.5
    assert contrast(tone.dark, tone.dark_ink) >= 4.5


@given(labels)
def test_a_state_is_visible_in_the_dark_theme_and_has_its_usual_colour_in_the_light_theme(label):
    tone = state_tone(label)
    assert contrast(tone.dark, DARK_GROUND) >= 3
    assert tone.light == state_color(label)


@given(st.from_regex("[A-Za-z][0-9]{0,4}", fullmatch=True) | st.text(max_size=20))
def test_text_on_a_letter_is_readable_in_both_themes(label):
    tone = section_tone(label)
    assert tone.light == section_color(label)
    assert contrast(tone.light, tone.light_ink) >= 4.5
    assert contrast(tone.dark, tone.dark_ink) >= 4.5
    assert contrast(tone.dark, DARK_GROUND) >= 3


def test_only_colours_with_too_little_contrast_are_changed():
    changed = {state for state in STATE_COLORS if state_tone(state).dark != state_tone(state).light}
    assert changed == {state for state in STATE_COLORS if contrast(state_color(state), DARK_GROUND) < 3}
    assert changed == {"Transition", "State 7"}


def test_the_background_colours_are_those_of_the_style_sheet():
    from songform.pages.markup import asset

    assert f"--ground: light-dark({LIGHT_GROUND}, {DARK_GROUND})".lower() in asset("theme.css").lower()

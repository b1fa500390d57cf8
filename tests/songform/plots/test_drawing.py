"""Parts that all pictures share: colors, text, downsampling, time axes and PNG files."""

from __future__ import annotations

import io
import itertools
import string
import subprocess
import sys

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from matplotlib.font_manager import findfont, get_font
from matplotlib.text import Text
from PIL import Image

from songform.pages.page_colors import DARK_GROUND, LIGHT_GROUND, contrast, state_tone
from songform.plots.downsample import columns
from songform.plots.drawing import DPI, WIDTH, clock_axis, save_png, stacked_axes
from songform.plots.fonts import FONT
from songform.plots.palette import SECTION_COLORS, SILENCE_COLOR, STATE_COLORS, section_color, state_color, state_order
from songform.plots.text import INK, plain_text
from songform.structure.naming import STATES
from songform.structure.silence import SILENCE

# Matrices of Machado, Oliveira and Fernandes (2009) for severity 1, applied to linear RGB.
SIGHT = {
    "normal": np.eye(3),
    "deuteranopia": [
        [0.367322, 0.860646, -0.227968],
        [0.280085, 0.672501, 0.047413],
        [-0.011820, 0.042940, 0.968881],
    ],
    "protanopia": [
        [0.152286, 1.052583, -0.204868],
        [0.114503, 0.786281, 0.099216],
        [-0.003882, -0.048116, 1.051998],
    ],
    "tritanopia": [
        [1.255528, -0.076749, -0.178779],
        [-0.078411, 0.930809, 0.147602],
        [0.004733, 0.691367, 0.303900],
    ],
}
HOSTILE = {
    "formula": r"$\frac$ for $5",
    "escaped": r"a\$b$ \\$",
    "control": "bell\x07 null\x00 escape\x1b[31m\r\n\ttab",
    "override": "\u202egnp.exe\u202c \u2066isolate",
    "right to left": "שלום עולם مرحبا بالعالم",
    "no glyphs": "夜に駆ける 🎵 \U0010ffff \ue000",
    "surrogate": "half \ud83c of a pair",
    "combining": "Z" + "\u0310\u0337" * 200,
    "wide": "W" * 5000,
    "blank": " \u3000\u200b ",
}


def linear_rgb(color: str) -> np.ndarray:
    srgb = np.array([int(color[i : i + 2], 16) for i in (1, 3, 5)]) / 255
    return np.where(srgb <= 0.04045, srgb / 12.92, ((srgb + 0.055) / 1.055) ** 2.4)


def cielab(rgb: np.ndarray) -> np.ndarray:
    to_xyz = np.array([[0.4125, 0.3576, 0.1804], [0.2127, 0.7152, 0.0722], [0.0193, 0.1192, 0.9503]])
    x, y, z = np.cbrt(to_xyz @ np.clip(rgb, 1e-3, 1) / [0.9505, 1, 1.0891])
    return np.array([116 * y - 16, 500 * (x - y), 200 * (y - z)])


def least_distance(states, sight, color=state_color) -> float:
    seen = [cielab(np.array(SIGHT[sight]) @ linear_rgb(color(state))) for state in states]
    return min(np.linalg.norm(a - b) for a, b in itertools.combinations(seen, 2))


@pytest.mark.parametrize(
    ("sight", "least"), [("normal", 30), ("deuteranopia", 30), ("protanopia", 30), ("tritanopia", 20)]
)
def test_five_states_differ_clearly_for_every_colour_vision(sight, least):
    """Any two are more than `least` units of CIELAB apart; 2.3 units are just noticeable."""
    assert least_distance(STATES, sight) > least


@pytest.mark.parametrize("sight", SIGHT)
def test_first_nine_states_differ_for_every_colour_vision(sight):
    assert least_distance(list(STATE_COLORS)[:9], sight) > 15


@pytest.mark.parametrize("sight", SIGHT)
def test_colours_of_dark_pages_differ_for_every_colour_vision(sight):
    """Two of the colors are lighter than on white; the five named states are nearly as far apart."""
    dark = {state: state_tone(state).dark for state in STATE_COLORS}
    assert least_distance(STATES, sight, dark.get) > 20
    assert least_distance(list(STATE_COLORS)[:9], sight, dark.get) > 15


def test_states_have_contrast_with_the_background():
    """The contrast ratio to white, as defined by WCAG, is at least 2 except for the yellow of State 9."""
    light = {state: linear_rgb(color) @ [0.2126, 0.7152, 0.0722] for state, color in STATE_COLORS.items()}
    assert [state for state, y in light.items() if 1.05 / (y + 0.05) < 2] == ["State 9"]


@pytest.mark.parametrize("sight", SIGHT)
def test_silence_differs_from_the_states_for_every_colour_vision(sight):
    gray = SILENCE_COLOR
    assert len({gray[i : i + 2] for i in (1, 3, 5)}) == 1
    for state in list(STATE_COLORS)[:9]:
        for color in (state_tone(state).light, state_tone(state).dark):
            assert least_distance([gray, color], sight, str) > 12, state


def test_silence_is_visible_in_both_themes():
    """The ratio of WCAG for graphics is 3."""
    tone = state_tone(SILENCE)
    assert tone.light == tone.dark == SILENCE_COLOR
    assert min(contrast(SILENCE_COLOR, ground) for ground in (LIGHT_GROUND, DARK_GROUND)) >= 3


def test_fixed_colours_are_different_and_include_the_named_states():
    assert len(set(STATE_COLORS.values())) == len(STATE_COLORS)
    assert set(STATES) < set(STATE_COLORS)


def test_colours_are_the_same_in_another_process():
    colors = "section_color('chorus'), section_color('C2'), state_color('Coda'), state_color('State 99')"
    program = f"from songform.plots.palette import section_color, state_color; print({colors})"
    other = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert other.stdout.split() == [*map(section_color, ("chorus", "C2")), *map(state_color, ("Coda", "State 99"))]


@given(st.text())
def test_every_name_has_a_colour(state):
    assert linear_rgb(state_color(state)).shape == (3,)
    assert len(state_color(state)) == 7


LETTERS = string.ascii_uppercase


@pytest.mark.parametrize(
    ("sight", "six", "fourteen"),
    [("normal", 18, 12), ("deuteranopia", 18, 12), ("protanopia", 18, 12), ("tritanopia", 13, 9)],
)
def test_letters_differ_for_every_colour_vision(sight, six, fourteen):
    assert least_distance(LETTERS[:6], sight, section_color) > six
    assert least_distance(LETTERS[:14], sight, section_color) > fourteen


@pytest.mark.parametrize(("sight", "least"), [("normal", 25), ("deuteranopia", 12), ("protanopia", 12)])
def test_letters_differ_from_the_states(sight, least):
    for letter, color in itertools.product(SECTION_COLORS, [*map(state_color, STATES), SILENCE_COLOR]):
        assert least_distance([letter, color], sight, str) > least


@given(st.text() | st.from_regex("[A-Za-z][0-9]?", fullmatch=True))
def test_dark_text_on_the_colour_of_a_section_is_readable(label):
    assert contrast(section_color(label), INK) >= 4.5


def test_only_the_letter_decides_on_the_colour_of_a_section():
    assert section_color("b") == section_color("B") != section_color("B1")
    assert section_color("b1") == section_color("B1")


def test_states_are_ordered_by_the_palette_and_unknown_states_are_last():
    assert state_order(["Coda", "State 6", "Energetic", "Calm", "Coda", "Calm"]) == [
        "Calm",
        "Energetic",
        "State 6",
        "Coda",
    ]
    assert state_order([SILENCE, "Coda", "Calm", SILENCE]) == ["Calm", "Coda", SILENCE]


@pytest.mark.parametrize("title", HOSTILE.values(), ids=HOSTILE.keys())
def test_hostile_title_is_drawn_within_the_picture_without_a_warning(title):
    figure, _ = stacked_axes(0.5, name="Form", title=title)
    figure.draw_without_rendering()
    [heading] = [text for text in figure.findobj(Text) if text.get_text() == figure.get_suptitle()]
    extent = heading.get_window_extent()
    assert extent.x0 >= 0
    assert extent.x1 <= WIDTH * DPI
    assert extent.height < 0.5 * DPI


@given(st.text(st.characters(exclude_categories=()), max_size=40))
def test_every_character_of_a_cleaned_title_can_be_drawn(title):
    """The title may have any Unicode characters, including unpaired surrogates."""
    font = get_font(findfont(FONT))
    cleaned = plain_text(title)
    assert [letter for letter in cleaned if not font.get_char_index(ord(letter))] == []
    assert all(letter.isprintable() for letter in cleaned)
    assert cleaned.count("$") == cleaned.count(r"\$")  # never a formula
    assert cleaned == " ".join(cleaned.split())


def test_plain_text_keeps_readable_characters():
    assert plain_text("Café \t del\u00a0Mar, Ночь, 𝔉𝔬𝔯𝔪") == "Café del Mar, Ночь, Form"
    assert plain_text("one\ntwo\tthree") == "one two three"
    assert plain_text("99 $") == r"99 \$"
    assert plain_text("夜 x") == "\N{WHITE SQUARE} x"


def test_text_is_cut_only_if_it_does_not_fit():
    assert plain_text("short", width=2) == "short"
    cut = plain_text("one two three " * 20, width=2)
    assert cut.endswith("…")
    assert "one two three one".startswith(cut[:13])
    assert plain_text("anything", width=0.01) == "…"


@pytest.mark.parametrize("duration", [0.003, 0.05, 1, 9.7, 77, 240, 3600, 43200, 400000])
def test_time_axis_has_at_most_nine_different_marks(duration):
    _, [ax] = stacked_axes(1, name="x")
    clock_axis([ax], duration)
    marks = ax.xaxis.get_major_formatter().format_ticks(ax.get_xticks())
    assert 1 <= len(set(marks)) == len(marks) <= 9
    assert ax.get_xlabel() in {"time [m:ss]", "time [h:mm:ss]"}


@given(st.lists(st.integers(-1000, 1000), min_size=1, max_size=300), st.integers(1, 50))
def test_columns_keep_peaks_and_the_mean(values, limit):
    time = np.arange(len(values)) * 0.5 + 0.25
    edges, low, mean, high = columns(time, np.array(values, dtype=np.float32), limit=limit)
    assert len(low) == len(mean) == len(high) == len(edges) - 1 == min(len(values), limit)
    assert (low.min(), high.max()) == (min(values), max(values))
    assert np.all((low <= mean) & (mean <= high))
    assert np.sum(mean * np.diff(edges)) == pytest.approx(0.5 * sum(values), abs=1e-6)
    assert (edges[0], edges[-1]) == pytest.approx((0, 0.5 * len(values)))


def test_columns_of_a_table_equal_those_of_each_series():
    table = np.random.default_rng(0).normal(size=(1001, 3))
    time = np.arange(1001.0)
    for i, together in enumerate(columns(time, table, limit=77).mean.T):
        np.testing.assert_allclose(together, columns(time, table[:, i], limit=77).mean)


def test_png_has_no_metadata_except_its_resolution(tmp_path):
    """It has no date and no version of Matplotlib. A path and a buffer receive the same bytes."""
    figure, _ = stacked_axes(1, name="x", title="y")
    buffer = io.BytesIO()
    save_png(figure, buffer)
    save_png(figure, tmp_path / "x.png")
    assert (tmp_path / "x.png").read_bytes() == buffer.getvalue()
    with Image.open(buffer) as picture:
        assert picture.size == (WIDTH * DPI, 1.75 * DPI // 1)
        assert set(picture.info) == {"dpi"}

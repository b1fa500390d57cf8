"""Augmentation changes the sound in the ways that it names, and reproducibly."""

from __future__ import annotations

import numpy as np
import pytest

from training.augmentation import PEAK, augmented, compressed, encoded, equalized, resampled

SR = 22050


@pytest.fixture(scope="module")
def tone() -> np.ndarray:
    """Two seconds of a soft tone of 440 Hz, then two seconds of a loud one."""
    t = np.arange(4 * SR) / SR
    return (np.where(t < 2, 0.05, 0.5) * np.sin(2 * np.pi * 440 * t)).astype(np.float32)


def level(y: np.ndarray) -> float:
    return float(10 * np.log10(np.mean(np.square(y, dtype=np.float64))))


def peak_hz(y: np.ndarray) -> float:
    return float(np.abs(np.fft.rfft(y)).argmax() * SR / len(y))


def test_the_same_generator_gives_the_same_sound(tone):
    one, two, other = (augmented(tone, SR, np.random.default_rng(seed)) for seed in (3, 3, 4))
    np.testing.assert_array_equal(one[0], two[0])
    assert one[1] == two[1]
    assert len(one[0]) != len(other[0]) or not np.allclose(one[0], other[0])


def test_samples_stay_in_range_and_lengths_follow_the_speed(tone):
    speeds = set()
    for seed in range(12):
        y, speed = augmented(tone, SR, np.random.default_rng(seed))
        assert np.abs(y).max() <= PEAK
        assert abs(len(y) * speed - len(tone)) < 4
        speeds.add(speed)
    assert 1.0 in speeds
    assert len(speeds) > 3


def test_faster_is_higher(tone):
    y = resampled(tone, SR, 1.25)
    assert peak_hz(y[len(y) // 2 :]) == pytest.approx(550, abs=2)
    assert len(y) == pytest.approx(len(tone) / 1.25, abs=2)


def test_compression_reduces_the_difference_of_levels_by_its_ratio(tone):
    def steady(y: np.ndarray) -> float:
        return level(y[3 * SR :]) - level(y[SR : 2 * SR - 2000])

    assert steady(tone) == pytest.approx(20, abs=0.1)
    assert steady(compressed(tone, SR, ratio=4.0, threshold_db=-30.0)) == pytest.approx(5, abs=0.6)
    np.testing.assert_allclose(compressed(tone, SR, ratio=1.0, threshold_db=-30.0), tone, atol=1e-6)


def test_equalizer_changes_levels_by_at_most_three_bands(tone):
    changes = [level(equalized(tone, SR, np.random.default_rng(seed))) - level(tone) for seed in range(8)]
    assert np.ptp(changes) > 1
    assert max(np.abs(changes)) < 27.5


def test_mp3_keeps_the_tone(tone):
    y = encoded(tone, SR, quality=0.5)
    assert len(y) == len(tone)
    assert peak_hz(y) == pytest.approx(440, abs=1)
    assert level(y) == pytest.approx(level(tone), abs=0.5)

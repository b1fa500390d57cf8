"""Tests of the format of times."""

from __future__ import annotations

import pytest

from songform.time_format import clock


@pytest.mark.parametrize(
    ("seconds", "decimals", "written"),
    [
        (0, 0, "0:00"),
        (61.46, 0, "1:01"),
        (61.46, 1, "1:01.5"),
        (60.5, 0, "1:01"),
        (62.5, 0, "1:03"),
        (59.7, 0, "1:00"),
        (59.96, 1, "1:00.0"),
        (3599, 0, "59:59"),
        (3599.96, 1, "1:00:00.0"),
        (3723, 0, "1:02:03"),
        (43261, 0, "12:01:01"),
        (0.025, 3, "0:00.025"),
        (0.05, 2, "0:00.05"),
    ],
)
def test_clock(seconds, decimals, written):
    """Half a second is rounded up, as in the scripts of the pages."""
    assert clock(seconds, decimals) == written

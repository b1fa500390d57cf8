"""Deltas: how fast a value rises or falls, per frame, while the rows stream by.

The derivative at row ``i`` is the slope of the straight line fitted to the nine rows around it (a filter of Savitzky
and Golay, 1964)::

    slope[i] == sum(k * (x[i + k] - x[i - k]) for k in (1, 2, 3, 4)) / 60

so a row is finished when four more have come. The first and the last four rows take the slope of the nearest nine rows.
Fewer than nine rows are thought to go on with their first and last value.

References
----------
`librosa.feature.delta(width=9)`, with ``mode="interp"`` where there are nine rows, else ``mode="nearest"``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

__all__ = ["DeltaStream"]

REACH = 4  # rows on either side that a derivative looks at
WIDTH = 2 * REACH + 1


class DeltaStream:
    """Puts derivatives beside rows that arrive a few at a time.

    Parameters
    ----------
    columns : sequence of int
        The columns whose derivatives are wanted.
    """

    def __init__(self, columns: Sequence[int]) -> None:
        self._columns = list(columns)
        self._held: NDArray[Any] | None = None  # once started: four finished rows, and four that wait
        self._slopes: NDArray[Any] | None = None  # the newest slope, of shape (1, n_columns)

    def push(self, rows: NDArray[Any]) -> NDArray[Any]:
        """Take in rows of shape (n, d); give the finished ones, of shape (m, d + len(columns))."""
        self._held = held = rows if self._held is None else np.concatenate([self._held, rows])
        if len(held) < WIDTH:
            return self._beside(held[:0], held[:0, self._columns])
        slopes = _slopes(held[:, self._columns])
        start = REACH if self._slopes is not None else 0
        first = np.repeat(slopes[:1], REACH - start, axis=0)
        self._held, self._slopes = held[1 - WIDTH :], slopes[-1:]
        return self._beside(held[start:-REACH], np.concatenate([first, slopes]))

    def finish(self) -> NDArray[Any]:
        """Give the rows that still waited, of shape (m, d + len(columns))."""
        if self._held is None:
            raise ValueError("no rows were pushed")
        if self._slopes is None:
            padded = np.pad(self._held[:, self._columns], ((REACH, REACH), (0, 0)), mode="edge")
            return self._beside(self._held, _slopes(padded))
        return self._beside(self._held[REACH:], np.repeat(self._slopes, REACH, axis=0))

    @staticmethod
    def _beside(rows: NDArray[Any], slopes: NDArray[Any]) -> NDArray[Any]:
        return np.concatenate([rows, slopes], axis=1)


def _slopes(x: NDArray[Any]) -> NDArray[Any]:
    n = len(x)
    rises = (k * (x[REACH + k : n - REACH + k] - x[REACH - k : n - REACH - k]) for k in range(1, REACH + 1))
    slopes: NDArray[Any] = sum(rises) / 60
    return slopes

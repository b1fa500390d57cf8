"""Overview: all that later steps will ever want of the sound, a row every 0.1 s.

After the features are extracted the audio is thrown away. Pictures, context, tempo and beats are made from this record,
about 1.5 kB a second. `songform.features.overview_builder` makes it, in the same pass as the features.

Conventions
-----------
Row ``k`` is the cell of time from ``0.1 k`` to ``0.1 (k + 1)`` seconds. A frame belongs to the cell in which its centre
falls; there are as many cells as reach the last frame's centre.

======================  =======================================================================================
``wave_min, wave_max``  float32, over the cell's samples (the last cell takes the few samples after it, too)
``logmel``              uint8, 64 mel bands: mean dB over the cell's frames, -100 to 27.5 dB in steps of 0.5 dB
``chroma``              float32, 12 pitch classes from C: mean over the cell's frames, each with a maximum of 1
``low_share``           float32, share of the energy below 150 Hz: mean over the cell's frames
``onset``               float32, a list: the onset strength of each of the cell's frames
======================  =======================================================================================

Joined, the lists of ``onset`` are one value a frame: ``librosa.onset.onset_strength(S=mel_db, center=False)``, mel_db
being the 128 mel bands in dB without `top_db`. librosa's default, ``center=True``, is the same two frames later.

References
----------
`librosa.feature.melspectrogram(n_mels=64)`, `librosa.feature.chroma_stft(tuning=0)`, `librosa.onset.onset_strength`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa

from songform.errors import ParameterError

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["LOGMEL_BANDS", "OVERVIEW_SCHEMA", "OVERVIEW_SECONDS", "VERSION", "Overview", "dequantised", "quantised"]

VERSION = 1  # counts up when the same sound gives another overview: the tables on disk are then made anew

OVERVIEW_SECONDS = 0.1
LOGMEL_BANDS = 64
FLOOR_DB, STEP_DB = -100.0, 0.5

OVERVIEW_SCHEMA = pa.schema(
    [
        pa.field("time_s", pa.float64(), nullable=False),
        pa.field("wave_min", pa.float32(), nullable=False),
        pa.field("wave_max", pa.float32(), nullable=False),
        pa.field("logmel", pa.list_(pa.uint8(), LOGMEL_BANDS), nullable=False),
        pa.field("chroma", pa.list_(pa.float32(), 12), nullable=False),
        pa.field("low_share", pa.float32(), nullable=False),
        pa.field("onset", pa.list_(pa.float32()), nullable=False),
    ]
)


@dataclass(frozen=True, eq=False)
class Overview:
    """The overview of one song.

    Attributes
    ----------
    time_s : np.ndarray, shape (n,)
        Start of each cell, in seconds; float64.
    wave_min, wave_max : np.ndarray, shape (n,)
        Smallest and largest sample of each cell.
    logmel : np.ndarray, shape (n, 64)
        Mel bands, quantised to uint8; `logmel_db` gives them in dB.
    chroma : np.ndarray, shape (n, 12)
        Pitch classes from C upwards, 0 to 1.
    low_share : np.ndarray, shape (n,)
        Share of the energy below 150 Hz, 0 to 1; 0 in silence.
    onset : np.ndarray, shape (n_frames,)
        Onset strength of every frame, in dB.
    frame_counts : np.ndarray, shape (n,)
        Number of frames whose centre falls into each cell; they sum up to n_frames.
    """

    time_s: NDArray[np.float64]
    wave_min: NDArray[np.float32]
    wave_max: NDArray[np.float32]
    logmel: NDArray[np.uint8]
    chroma: NDArray[np.float32]
    low_share: NDArray[np.float32]
    onset: NDArray[np.float32]
    frame_counts: NDArray[np.int32]

    def __post_init__(self) -> None:
        if self.frame_counts.sum() != len(self.onset):
            raise ParameterError(
                f"an overview needs one onset value a frame: its cells hold {self.frame_counts.sum()} frames, "
                f"but there are {len(self.onset)} values; was the table cut?"
            )

    def __len__(self) -> int:
        return len(self.time_s)

    @property
    def logmel_db(self) -> NDArray[np.float32]:
        """The mel bands in dB, of shape (n, 64), exact to a quarter of a dB."""
        return dequantised(self.logmel)

    def to_table(self) -> pa.Table:
        """Give the overview as an Arrow table of `OVERVIEW_SCHEMA`."""
        offsets = np.concatenate(([0], np.cumsum(self.frame_counts))).astype(np.int32)
        columns = [
            self.time_s,
            self.wave_min,
            self.wave_max,
            pa.FixedSizeListArray.from_arrays(self.logmel.ravel(), LOGMEL_BANDS),
            pa.FixedSizeListArray.from_arrays(self.chroma.ravel(), 12),
            self.low_share,
            pa.ListArray.from_arrays(offsets, self.onset),
        ]
        return pa.table([pa.array(column) for column in columns], schema=OVERVIEW_SCHEMA)

    @classmethod
    def from_table(cls, table: pa.Table) -> Overview:
        """Read an overview back from an Arrow table.

        Raises
        ------
        ParameterError
            If a column is missing.
        """
        if missing := set(OVERVIEW_SCHEMA.names) - set(table.column_names):
            raise ParameterError(f"this table is no overview: it lacks the columns {', '.join(sorted(missing))}")
        column = {name: table.column(name).combine_chunks() for name in OVERVIEW_SCHEMA.names}
        plain = {name: column[name].to_numpy() for name in ("time_s", "wave_min", "wave_max", "low_share")}
        return cls(
            **plain,
            logmel=_rows(column["logmel"], LOGMEL_BANDS),
            chroma=_rows(column["chroma"], 12),
            onset=column["onset"].flatten().to_numpy(),
            frame_counts=column["onset"].value_lengths().to_numpy(),
        )


def quantised(levels: NDArray[Any]) -> NDArray[np.uint8]:
    """Round dB to steps of 0.5 dB from -100 (0) to 27.5 (255)."""
    steps = np.round((levels - FLOOR_DB) / STEP_DB)
    return np.clip(steps, 0, 255).astype(np.uint8)


def dequantised(steps: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Give the dB that `quantised` rounded."""
    return steps * np.float32(STEP_DB) + np.float32(FLOOR_DB)


def _rows(column: Any, width: int) -> NDArray[Any]:
    values: NDArray[Any] = column.flatten().to_numpy()
    return values.reshape(-1, width)

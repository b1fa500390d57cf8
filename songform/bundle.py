"""Bundles of models: everything that is needed to find the form of a song, saved in one folder.

A bundle contains the state model (scaler, centroids, names), the sequence model (its own scaler, window lengths,
network) and the weight of the sequence model. `Bundle.predict` needs only frame features; `Bundle.form` also needs the
overview. Bundles are saved as arrays and JSON, without pickle, and are used without TensorFlow.

===================  =====================================================================
`states.npz`         the state model
`sequence.npz`       mean and standard deviation of each feature column
`network.npz`        the network; absent if the bundle contains only clusters. Bundles of
                     earlier versions of songform have `network.keras` instead
`bundle.json`        everything else
===================  =====================================================================
"""

from __future__ import annotations

import json
import zipfile
import zlib
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from songform.errors import ModelError
from songform.features.overview import Overview
from songform.learning.calibration import Calibration, tempered
from songform.learning.sequence_inputs import FEATURES_ONLY, SongTables
from songform.learning.sequence_model import SequenceModel
from songform.structure.boundaries import refined_segments
from songform.structure.context import CONTEXT_COLUMNS, UNIT_SECONDS
from songform.structure.pooling import frame_units, n_units
from songform.structure.segments import Segment, state_segments
from songform.structure.silence import silent_spans, with_silence
from songform.structure.states import StateModel, state_posterior, state_sequence, unit_vectors
from songform.structure.viterbi import joint_posterior

if TYPE_CHECKING:
    from songform.beats.beat_tracking import Beats
    from songform.sections.section_finding import Sections

__all__ = ["Bundle", "Form", "SequenceModel"]

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Form:
    """Musical form of one song.

    Attributes
    ----------
    segments : list of Segment
        Segments that partition the song. Digital silence of more than 2 s has the label `Silence` instead of a state.
    path : np.ndarray of int, shape=(n_units,)
        Index of the state of each unit of 0.5 s.
    clusters, sequence, joint : np.ndarray, shape=(n_units, n_states)
        State probabilities of the clusters, of the sequence model (None without one), and of both combined.
    """

    segments: list[Segment]
    path: NDArray[np.intp]
    clusters: Array
    sequence: Array | None
    joint: Array


@dataclass(frozen=True)
class Bundle:
    """State model, optional sequence model, and the weight of the sequence model.

    Attributes
    ----------
    states : StateModel
        The clusters and their names.
    sequence : SequenceModel or None
        The network, or None if there are only clusters.
    weight : float >= 0
        Weight of the sequence model: the exponent of its probabilities; see
        `songform.structure.viterbi.joint_posterior`.
    columns : tuple of str
        Feature columns that both models read, in order.
    calibration : Calibration or None
        Temperature of the combined probabilities, which makes the confidences agree with how often a state is right. It
        does not affect the states. None if the probabilities are used as they are.
    settings : dict
        Settings of the training run, one dict per section. They are stored for information and do not affect results.
    """

    states: StateModel
    sequence: SequenceModel | None
    weight: float
    columns: tuple[str, ...]
    settings: dict[str, Any] = field(default_factory=dict)
    calibration: Calibration | None = None

    def predict(self, features: pd.DataFrame) -> pd.DataFrame:
        """Return the state that the network predicts for each frame.

        Parameters
        ----------
        features : pd.DataFrame
            Frame features of one song, one row per frame; additional columns are ignored.

        Returns
        -------
        pd.DataFrame
            `state` (str) and `confidence` (float64, 0 to 1), one row per frame, with the index of `features`.

        Raises
        ------
        ModelError
            If a column is missing, the table is empty, the bundle has no network, or its network reads more than frame
            features.
        """
        if self.sequence is None:
            raise ModelError("this model contains only clusters and no network; train a model with songform train")
        more = [name for name in self.sequence.inputs if name not in FEATURES_ONLY]
        if more:
            raise ModelError(
                f"the network of this model also reads {' and '.join(more)}, which frame features do not contain; "
                "use songform analyze instead of predict"
            )
        shape = self.sequence.shape
        probability = self.sequence.probabilities(SongTables(self._columns(features)))
        of_unit = frame_units(len(features), sr=shape.sr, hop_length=shape.hop_length, unit_seconds=shape.pool_seconds)
        answer = probability.argmax(axis=1)
        table = {
            "state": np.array(self.states.states, dtype=object)[answer[of_unit]],
            "confidence": probability.max(axis=1)[of_unit],
        }
        return pd.DataFrame(table, index=features.index)

    def form(
        self,
        features: pd.DataFrame,
        overview: Overview,
        duration: float,
        *,
        frame_length: int = 2048,
        beats: Beats | None = None,
        sections: Sections | None = None,
    ) -> Form:
        """Return the form of a song.

        The probabilities of the clusters and of the network are combined, and the most probable state sequence is
        divided into segments. Digital silence is then cut out of them as segments of its own.

        Parameters
        ----------
        features : pd.DataFrame
            Frame features of one song.
        overview : Overview
            Overview of the same song, with the same sampling rate and hop length.
        duration : float > 0
            Duration of the song in seconds.
        frame_length : int
            Number of samples of a frame, from which the start and the end of a silence are computed.
        beats, sections : Beats, Sections, optional
            Beats and sections of the song, if they are known. Only a network that was trained with them reads them.

        Raises
        ------
        ModelError
            If the table is empty, or if it lacks columns that the model was trained on.

        Examples
        --------
        >>> from songform import compose, describe_audio, fit_states, unit_vectors
        >>> song = compose(seed=3)
        >>> features, overview, n_samples = describe_audio([song.y], sr=song.sr)
        >>> model = fit_states([unit_vectors(features, overview)])
        >>> bundle = Bundle(model, None, 0.0, tuple(features.columns))
        >>> segments = bundle.form(features, overview, n_samples / song.sr).segments
        >>> segments[0].start, segments[-1].end == n_samples / song.sr
        (0.0, True)
        """
        model, columns = self.states, self._columns(features)
        vectors = unit_vectors(columns, overview, sr=model.sr, hop_length=model.hop_length)
        clusters = state_posterior(model, vectors)
        sequence = self._at_units(SongTables(columns, vectors[:, -len(CONTEXT_COLUMNS) :], beats, sections))
        joint = clusters if sequence is None else joint_posterior(clusters, sequence, self.weight)
        path = state_sequence(model, joint)
        joint = tempered(joint, self.calibration.temperature) if self.calibration else joint
        segments = state_segments(path, joint, model.states, unit_seconds=UNIT_SECONDS, duration=duration)
        spans = silent_spans(
            features["rms_mean"].to_numpy(),
            sr=model.sr,
            hop_length=model.hop_length,
            frame_length=frame_length,
            duration=duration,
        )
        segments = with_silence(refined_segments(segments, overview), spans, joint, model.states)
        return Form(segments, path, clusters, sequence, joint)

    def with_weight(self, weight: float) -> Bundle:
        """Return a copy of the bundle with another weight."""
        return replace(self, weight=weight)

    def save(self, folder: Path) -> None:
        """Write the bundle to an existing folder."""
        self.states.save(folder / "states.npz")
        about: dict[str, Any] = {"weight": self.weight, "calibration": None, "sequence": None}
        about |= {"columns": list(self.columns), "settings": self.settings}
        if self.calibration:
            about["calibration"] = asdict(self.calibration)
        if self.sequence:
            about["sequence"] = self.sequence.save(folder)
        (folder / "bundle.json").write_text(json.dumps(about, indent=2) + "\n", encoding="utf-8")

    @classmethod
    def load(cls, folder: Path, *, network: bool = True) -> Bundle:
        """Read a bundle from a folder written by `save`.

        Parameters
        ----------
        folder : Path
            Folder of the bundle.
        network : bool
            Whether to load the network. Without it, the bundle contains only clusters.

        Raises
        ------
        ModelError
            If a file is missing or cannot be read.
        """
        try:
            bundle, sequence = cls._without_network(folder)
            return replace(bundle, sequence=SequenceModel.load(folder, sequence) if sequence and network else None)
        except _FAULTS as error:
            raise _not_a_bundle(folder, error) from error

    @classmethod
    def verify(cls, folder: Path) -> None:
        """Check that the files of a bundle can be read, without loading its network.

        Raises
        ------
        ModelError
            If a file is missing or damaged.
        """
        try:
            _, sequence = cls._without_network(folder)
            if sequence:
                SequenceModel.verify(folder, sequence)
        except _FAULTS as error:
            raise _not_a_bundle(folder, error) from error

    @classmethod
    def _without_network(cls, folder: Path) -> tuple[Bundle, dict[str, Any] | None]:
        """Return a bundle without its network, and the parameters of the inputs of its network."""
        about = json.loads((folder / "bundle.json").read_text(encoding="utf-8"))
        states = StateModel.load(folder / "states.npz")
        bundle = cls(
            states=states,
            sequence=None,
            weight=float(about["weight"]),
            columns=tuple(about["columns"]),
            settings=about["settings"],
        )
        if (calibration := about.get("calibration")) is not None:  # bundles of earlier versions have none
            bundle = replace(bundle, calibration=Calibration(**calibration))
        return bundle, about["sequence"]

    def _columns(self, features: pd.DataFrame) -> pd.DataFrame:
        missing = [column for column in self.columns if column not in features.columns]
        if missing or features.empty:
            what = f"lacks the columns {', '.join(missing[:3])}" if missing else "has no rows"
            msg = (
                f"the feature table {what}; pass the result of songform.frame_features, with one row per frame and the "
                f"{len(self.columns)} columns of the model"
            )
            raise ModelError(msg)
        return features[list(self.columns)]

    def _at_units(self, song: SongTables) -> Array | None:
        """Return the probabilities of the network at the centers of the units of the state model."""
        if self.sequence is None:
            return None
        model, n_frames = self.states, len(song.features)
        count = n_units(n_frames, sr=model.sr, hop_length=model.hop_length, unit_seconds=UNIT_SECONDS)
        return self.sequence.at(song, np.arange(count, dtype=np.float64) * UNIT_SECONDS + UNIT_SECONDS / 2)


_FAULTS = (
    OSError,
    EOFError,
    ValueError,
    KeyError,
    TypeError,
    RecursionError,
    ModelError,
    zipfile.BadZipFile,
    zlib.error,
)


def _not_a_bundle(folder: Path, error: Exception) -> ModelError:
    return ModelError(f"{folder} is not a bundle that this version of songform can read ({error}); train again")

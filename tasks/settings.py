"""Settings of songform: one frozen pydantic model per section.

These models define the name, type, unit and default of each setting. `flows.config.load_settings` reads the values from
`songform.toml`, the environment and `--set`. The functions of the package `songform` take plain keyword arguments, not
settings objects.

The output of a stage depends on its own settings and on those of earlier stages. `digest` computes a short hash of such
settings, which names folders of the corpus.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from typing import Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator
from pydantic_core import PydanticKnownError

__all__ = [
    "AudioSettings",
    "DownloadSettings",
    "FeaturesSettings",
    "FramesSettings",
    "ModelSettings",
    "NotifySettings",
    "Playlist",
    "ReportSettings",
    "RunSettings",
    "ScheduleSettings",
    "SequencesSettings",
    "Settings",
    "StatesSettings",
    "digest",
    "later_versions",
]


_MAX_SEED = 2**32 - 1  # the largest seed that scikit-learn and Keras accept


class _Section(BaseModel):
    """Base class of the sections: frozen, without unknown names, strict about types, and with finite numbers only."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, allow_inf_nan=False)


class AudioSettings(_Section):
    """Encoding of downloaded audio, and whether it is kept."""

    keep: bool = Field(False, description="Keep downloaded audio in data/audio instead of deleting it.")
    codec: Literal["mp3", "native"] = Field(
        "mp3",
        description="mp3: convert downloads to MP3 at audio.bitrate; native: keep the format that the site serves "
        "(no second lossy encoding, no encoding time; M4A and WebM need ffmpeg).",
    )
    bitrate: int = Field(192, ge=32, le=320, description="Bit rate of the MP3 in kbit/s; unused with codec native.")

    @property
    def encoding(self) -> str:
        """Encoding as it appears in folder names: `mp3-192`, or `native` regardless of the bit rate."""
        return self.codec if self.codec == "native" else f"{self.codec}-{self.bitrate}"


class FramesSettings(_Section):
    """Frames of the signal."""

    sr: int = Field(22050, ge=8000, le=192000, description="Sampling rate of the analyzed signal, in Hz.")
    frame_length: int = Field(
        2048, ge=256, le=16384, multiple_of=4, description="Length of a frame and of its FFT, in samples."
    )
    hop_length: int = Field(512, ge=64, le=8192, description="Number of samples between successive frames.")

    @model_validator(mode="after")
    def _overview_has_a_frame_in_every_cell(self) -> Self:
        if self.hop_length > self.frame_length:
            msg = f"hop_length ({self.hop_length}) must not be longer than frame_length ({self.frame_length})"
            raise ValueError(msg)
        if self.hop_length * 10 > self.sr:
            msg = "hop_length must not be longer than 0.1 s, the time step of the overview"
            raise ValueError(msg)
        return self


class FeaturesSettings(_Section):
    """Features of each frame."""

    n_mfcc: int = Field(13, ge=2, le=40, description="Number of mel-frequency cepstral coefficients.")


class StatesSettings(_Section):
    """Discovery, naming and smoothing of the musical states."""

    n_states: int = Field(5, ge=2, le=12, description="Number of states (clusters).")
    context_weight: float = Field(
        1.0,
        ge=0.0,
        le=100.0,
        description="Weight of the context descriptors as a group, relative to the frame features as a group.",
    )
    dwell_seconds: float = Field(
        4.0, gt=0.0, description="Expected duration of a state in seconds: the prior of the smoothing."
    )
    transition_dwell_seconds: float = Field(
        3.0, gt=0.0, description="Expected duration of the state Transition in seconds."
    )
    seed: int = Field(0, ge=0, le=_MAX_SEED, description="Random seed of KMeans.")
    prior_songs: float = Field(
        100.0,
        ge=0.0,
        description="Number of songs of two minutes that the model shipped with songform counts as, when states are "
        "adapted from it; 0: states are discovered from the corpus alone.",
    )


class SequencesSettings(_Section):
    """Inputs and targets of the sequence model."""

    inputs: tuple[Literal["features", "normalized", "context", "beats", "sections"], ...] = Field(
        ("features",),
        strict=False,
        min_length=1,
        description="What the network reads at each unit. features: mean and standard deviation of each feature; "
        "normalized: the same, standardized within the song; context: the six descriptors of the states; "
        "beats: tempo and position in the bar; sections: distance to the boundaries of sections. All except features "
        "depend on the whole song.",
    )
    every_unit: bool = Field(
        True,
        description="true: the network reads whole stretches of songs and predicts a state at each unit; "
        "false: it reads windows and predicts one state for each.",
    )
    stretch_seconds: float = Field(
        60.0, gt=0.0, le=3600.0, description="Maximum length of a stretch in training, in seconds (with every_unit)."
    )
    pool_seconds: float = Field(
        0.5,
        ge=0.0,
        le=3600.0,
        description="Length of a unit in seconds; the inputs are the mean and standard deviation of its frames. "
        "0: the inputs are the frames themselves.",
    )
    seconds: float = Field(12.0, gt=0.0, le=3600.0, description="Length of a window in seconds (without every_unit).")
    hop_seconds: float = Field(
        0.5, gt=0.0, le=3600.0, description="Time between successive windows in seconds (without every_unit)."
    )
    target: Literal["current", "ahead", "expert"] = Field(
        "current",
        description="State to predict. current: that of the unit, or of the window's last unit; "
        "ahead: the one ahead_seconds later; expert: people's label instead of the state.",
    )
    ahead_seconds: float = Field(2.0, gt=0.0, le=3600.0, description="How far ahead the target `ahead` is, in seconds.")

    @field_validator("inputs", mode="before")
    @classmethod
    def _names_in_one_text(cls, value: object) -> object:
        """Accept names separated by commas, as in an option or an environment variable."""
        return tuple(name.strip() for name in value.split(",")) if isinstance(value, str) else value

    @property
    def moment(self) -> Literal["current", "ahead"]:
        """Moment whose state is predicted: people's labels are predicted for the current one."""
        return "ahead" if self.target == "ahead" else "current"

    @model_validator(mode="after")
    def _a_window_holds_two_units(self) -> Self:
        name = "stretch_seconds" if self.every_unit else "seconds"
        length = self.stretch_seconds if self.every_unit else self.seconds
        if length < 2 * self.pool_seconds:
            msg = f"{name} ({length:g}) must be at least twice pool_seconds ({self.pool_seconds:g})"
            raise ValueError(msg)
        return self

    @model_validator(mode="after")
    def _inputs_are_different(self) -> Self:
        if len(set(self.inputs)) < len(self.inputs):
            msg = f"inputs must be different, but they are {', '.join(self.inputs)}"
            raise ValueError(msg)
        return self


class ModelSettings(_Section):
    """The sequence model and its training."""

    name: str = Field("lstm", description="Network architecture: a name in songform.learning.networks.NETWORKS.")
    seed: int = Field(
        0, ge=0, le=_MAX_SEED, description="Random seed of the split, the weights and the order of the windows."
    )
    epochs: int = Field(50, ge=1, description="Maximum number of epochs.")
    patience: int = Field(
        5, ge=1, description="Number of epochs without a better validation loss after which training stops."
    )
    batch_size: int = Field(256, ge=1, description="Number of windows per batch (without sequences.every_unit).")
    batch_stretches: int = Field(32, ge=1, description="Number of stretches per batch (with sequences.every_unit).")
    learning_rate: float = Field(0.001, gt=0.0, description="Learning rate of Adam.")

    @field_validator("name")
    @classmethod
    def _is_a_network(cls, name: str) -> str:
        from songform.learning.networks import NETWORKS  # slow import, not needed by `songform --help`

        if name not in NETWORKS:
            raise PydanticKnownError("literal_error", {"expected": " or ".join(map(repr, NETWORKS))})
        return name


class DownloadSettings(_Section):
    """Limits, rates and retries of downloads."""

    attempts: int = Field(3, ge=1, le=10, description="Maximum number of attempts per track in one ingest.")
    retry_seconds: float = Field(
        5.0,
        ge=0.0,
        le=3600.0,
        description="Pause before the second attempt, in seconds; it doubles before each further attempt.",
    )
    timeout_seconds: float = Field(
        20.0, gt=0.0, description="Time without data after which a connection is considered lost, in seconds."
    )
    workers: int = Field(8, ge=1, le=64, description="Maximum number of simultaneous downloads in total.")
    host_workers: int = Field(2, ge=1, le=16, description="Maximum number of simultaneous downloads from one host.")
    host_seconds: float = Field(
        1.0,
        ge=0.0,
        le=3600.0,
        description="Minimum time between the starts of two downloads from one host, in seconds.",
    )
    youtube_workers: int = Field(1, ge=1, le=16, description="Maximum number of simultaneous downloads from YouTube.")
    youtube_seconds: float = Field(
        5.0, ge=0.0, le=3600.0, description="Minimum time between the starts of two downloads from YouTube, in seconds."
    )
    throttle_seconds: float = Field(
        60.0,
        ge=0.0,
        description="Pause after a host answers 429 without a Retry-After header, in seconds; "
        "it doubles with each consecutive answer of this kind.",
    )
    throttle_most_seconds: float = Field(
        900.0, ge=0.0, description="Maximum to which the pause of throttle_seconds doubles, in seconds."
    )
    circuit_seconds: float = Field(
        3600.0, ge=0.0, description="Minimum pause after a host suspects an automated client, in seconds."
    )
    patience_seconds: float = Field(
        900.0, ge=0.0, description="Longest pause of a host that an ingest waits out, in seconds."
    )
    max_megabytes: float = Field(500.0, gt=0.0, description="Maximum size of a download, in MB.")
    max_hours: float = Field(3.0, gt=0.0, description="Maximum duration of a track, in hours.")
    max_minutes: float = Field(
        30.0, gt=0.0, description="Maximum time to download a track, in minutes; pauses do not count."
    )
    allow_private: bool = Field(False, description="Also download from this machine and from private networks.")
    allow_plugins: bool = Field(False, description="Let yt-dlp run the plugins that it finds on this machine.")
    # Excluded from dumps, so that it appears in no parameters of Prefect or MLflow and in no model's settings.
    cookies: str | None = Field(
        None, exclude=True, description="Path of a file of cookies in Netscape format (cookies.txt) to send to sites."
    )


class RunSettings(_Section):
    """Where tasks run, and the limits of feature extraction."""

    workers: int = Field(
        0,
        ge=0,
        description="Number of tracks that are extracted in parallel, and of songs whose reports are made in parallel; "
        "0: one per CPU core.",
    )
    max_minutes: float = Field(30.0, gt=0.0, description="Maximum time to extract the features of a track, in minutes.")
    task_runner: Literal["threads", "dask"] = Field(
        "threads", description="threads: run tasks on this machine; dask: run them on a Dask cluster."
    )
    dask_address: str | None = Field(
        None, description="Address of the Dask scheduler; none: start a cluster on this machine."
    )


class ReportSettings(_Section):
    """Pictures of a song, and audio on its page."""

    pictures: bool = Field(True, description="Draw the seven pictures of each song, which takes most of the time.")
    audio: Literal["embed", "beside", "none"] = Field(
        "embed",
        description="embed: the page contains the audio; beside: the audio is a file next to the page, as a hard link "
        "where the disk supports it; none: the page has no audio.",
    )
    embed_megabytes: float = Field(
        12.0,
        ge=0.0,
        le=24.0,  # Firefox rejects data: URLs longer than 32 MB, and base64 adds a third
        description="Maximum size of audio that is embedded in a page, in MB; larger files are put next to the page.",
    )


class ScheduleSettings(_Section):
    """Work of `songform schedule` besides the playlists. Schedules are cron expressions; an empty one means never."""

    timezone: str = Field("UTC", description="Time zone of schedules that do not name one.")
    retry: str = Field("30 * * * *", description="When to retry failed tracks whose retry is due.")
    train: str = Field("0 4 * * 1", description="When to train the model again.")
    catch_up: bool = Field(
        True,
        strict=False,
        description="When songform schedule starts, run each schedule (of a playlist, the retry or the training) once "
        "if it has missed at least one time since its last run.",
    )


class NotifySettings(_Section):
    """Where events that need attention are sent, and what counts as such an event."""

    command: tuple[str, ...] = Field(
        (), strict=False, description="Program and its arguments; it reads the event as JSON from standard input."
    )
    webhook: str | None = Field(None, description="URL to which events are posted as JSON.")
    failing_days: int = Field(
        3, ge=1, description="Number of days after which a playlist that cannot be listed is reported."
    )
    least_success: float = Field(
        0.8,
        ge=0.0,
        le=1.0,
        description="Minimum fraction of an ingest's tracks that must succeed; a lower fraction is reported.",
    )
    yt_dlp_days: int = Field(60, ge=1, description="Maximum age of yt-dlp in days; an older version is reported.")
    disk_gigabytes: float = Field(
        5.0, ge=0.0, description="Minimum free disk space in GB; less free space is reported."
    )


class Playlist(_Section):
    """A playlist that is ingested on a schedule: one `[[playlists]]` table of songform.toml."""

    url: str = Field(min_length=1, description="Address of the playlist, or path of a folder or a list of sources.")
    every: str = Field("0 6 * * *", description="When to ingest it, as a cron expression.")
    timezone: str | None = Field(None, description="Time zone of `every`; none: schedule.timezone.")
    limit: int | None = Field(None, ge=1, description="Maximum number of tracks to list.")


class Settings(_Section):
    """All settings, by section."""

    audio: AudioSettings = AudioSettings()
    frames: FramesSettings = FramesSettings()
    features: FeaturesSettings = FeaturesSettings()
    states: StatesSettings = StatesSettings()
    sequences: SequencesSettings = SequencesSettings()
    model: ModelSettings = ModelSettings()
    download: DownloadSettings = DownloadSettings()
    run: RunSettings = RunSettings()
    report: ReportSettings = ReportSettings()
    # Read from songform.toml where they are used, and excluded from dumps because a webhook's address is a secret.
    schedule: ScheduleSettings = Field(ScheduleSettings(), exclude=True)
    notify: NotifySettings = Field(NotifySettings(), exclude=True)
    playlists: tuple[Playlist, ...] = Field(
        (), strict=False, exclude=True, description="Playlists that `songform schedule` ingests regularly."
    )

    @model_validator(mode="after")
    def _a_unit_holds_a_frame(self) -> Self:
        step = self.frames.hop_length / self.frames.sr
        if 0 < self.sequences.pool_seconds < step:
            msg = f"sequences.pool_seconds must be 0 or at least {step:.4f} s, the time between successive frames"
            raise ValueError(msg)
        return self

    @model_validator(mode="after")
    def _target_is_not_among_the_inputs(self) -> Self:
        if self.model == ModelSettings() and self.sequences == SequencesSettings():
            return self  # as above, slow imports are avoided
        from songform.errors import ParameterError
        from songform.learning.networks import check_no_leak
        from songform.learning.sequence_inputs import whole_song_inputs

        chosen = self.sequences
        whole_song = whole_song_inputs(chosen.inputs)
        try:
            check_no_leak(self.model.name, target=chosen.target, every_unit=chosen.every_unit, whole_song=whole_song)
        except ParameterError as error:
            raise ValueError(str(error)) from error
        return self

    def flat(self) -> dict[str, Any]:
        """Return the settings that are part of dumps, by `section.name`, in the order of the sections."""
        sections: dict[str, dict[str, Any]] = self.model_dump()
        return {f"{section}.{name}": value for section, values in sections.items() for name, value in values.items()}


def digest(*parts: Any, later: Mapping[str, Any] | None = None) -> str:
    """Return 12 hex digits that change when any part changes.

    Parameters
    ----------
    *parts : pydantic models and plain JSON values
        Everything that determines a file's content: settings, `VERSION` constants, hashes of tracks.
    later : mapping of str to plain JSON values, optional
        Return value of `later_versions`, and whatever else did not exist in the first homes: one more part, unless it
        is empty.

    Returns
    -------
    str
        First 12 digits of the SHA-256 of the parts as canonical JSON.
    """
    plain = [part.model_dump(mode="json") if isinstance(part, BaseModel) else part for part in parts]
    if later:
        plain.append(dict(later))
    canonical = json.dumps(plain, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(canonical.encode()).hexdigest()[:12]


def later_versions(**versions: int) -> dict[str, int]:
    """Return the `VERSION` constants that were increased since they were introduced, by name.

    A module may get its first `VERSION` when homes already exist. To leave their digests unchanged, the value 1 is
    omitted. Later values are part of the digest, together with the name, because two modules may have the same number.

    Parameters
    ----------
    **versions : int
        `VERSION` of each module, by a name that never changes.

    Returns
    -------
    dict of str to int
        The versions other than 1.
    """
    return {name: version for name, version in versions.items() if version != 1}

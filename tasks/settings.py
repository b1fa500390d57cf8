"""Every setting of songform, one frozen model a stage.

These models only say what may be set, its unit and its default. Where values come from (`songform.toml`, the
environment, `--set`) is the business of `flows.config.load_settings`; the functions of `songform` take plain keywords
and never see a settings object.

What a stage computes depends on its own settings and on those of the stages before it; `digest` turns any
collection of them into the short hash that names folders of the corpus.
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


_MAX_SEED = 2**32 - 1  # scikit-learn and Keras take no larger one


class _Section(BaseModel):
    """What all sections share: frozen, typo-proof, strict about types, and every number finite."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, allow_inf_nan=False)


class AudioSettings(_Section):
    """How downloaded audio is encoded, and whether it stays."""

    keep: bool = Field(False, description="Keep the downloaded audio under data/audio instead of deleting it.")
    codec: Literal["mp3", "native"] = Field(
        "mp3",
        description="mp3: downloads become MP3 at audio.bitrate; native: they stay as the site serves them "
        "(no second loss, no time for encoding), needs ffmpeg for M4A and WebM.",
    )
    bitrate: int = Field(
        192, ge=32, le=320, description="Bit rate of the MP3 that downloads become, in kbit/s; not of native ones."
    )

    @property
    def encoding(self) -> str:
        """What these settings make of a download, as folders are named: `mp3-192`, or `native` at any bit rate."""
        return self.codec if self.codec == "native" else f"{self.codec}-{self.bitrate}"


class FramesSettings(_Section):
    """How the signal is cut into frames."""

    sr: int = Field(22050, ge=8000, le=192000, description="Sampling rate of the analysed signal, in Hz.")
    frame_length: int = Field(2048, ge=256, le=16384, multiple_of=4, description="Samples in a frame; also the FFT's.")
    hop_length: int = Field(512, ge=64, le=8192, description="Samples from one frame to the next.")

    @model_validator(mode="after")
    def _overview_has_a_frame_in_every_cell(self) -> Self:
        if self.hop_length > self.frame_length:
            msg = f"hop_length ({self.hop_length}) must not be longer than frame_length ({self.frame_length})"
            raise ValueError(msg)
        if self.hop_length * 10 > self.sr:
            msg = "hop_length must not be longer than 0.1 s, the step of the overview"
            raise ValueError(msg)
        return self


class FeaturesSettings(_Section):
    """What is measured in every frame."""

    n_mfcc: int = Field(13, ge=2, le=40, description="Number of mel-frequency cepstral coefficients.")


class StatesSettings(_Section):
    """How musical states are discovered, named and smoothed."""

    n_states: int = Field(5, ge=2, le=12, description="Number of clusters.")
    context_weight: float = Field(
        1.0, ge=0.0, le=100.0, description="Weight of the context descriptors as a group; the frame features have 1."
    )
    dwell_seconds: float = Field(4.0, gt=0.0, description="Expected stay in a state, in s: the prior of the smoothing.")
    transition_dwell_seconds: float = Field(3.0, gt=0.0, description="The same for the state Transition, in s.")
    seed: int = Field(0, ge=0, le=_MAX_SEED, description="Seed of KMeans.")


class SequencesSettings(_Section):
    """What the sequence model sees at once, and what it is asked."""

    pool_seconds: float = Field(
        0.25,
        ge=0.0,
        le=3600.0,
        description="Length of a unit (mean and standard deviation of its frames), in s; 0: bare frames.",
    )
    seconds: float = Field(12.0, gt=0.0, le=3600.0, description="Length of a window, in s.")
    hop_seconds: float = Field(0.5, gt=0.0, le=3600.0, description="From one window to the next, in s.")
    target: Literal["current", "ahead"] = Field(
        "current", description="The state of the window's last unit, or the one ahead_seconds later."
    )
    ahead_seconds: float = Field(2.0, gt=0.0, le=3600.0, description="How far ahead the target `ahead` lies, in s.")

    @model_validator(mode="after")
    def _a_window_holds_two_units(self) -> Self:
        if self.seconds < 2 * self.pool_seconds:
            msg = f"seconds ({self.seconds:g}) must be at least twice pool_seconds ({self.pool_seconds:g})"
            raise ValueError(msg)
        return self


class ModelSettings(_Section):
    """The sequence model and its training."""

    name: str = Field("lstm", description="Architecture: a name in songform.learning.networks.NETWORKS.")
    seed: int = Field(0, ge=0, le=_MAX_SEED, description="Seed of the split, the weights and the order of the windows.")
    epochs: int = Field(50, ge=1, description="Most passes over the training windows.")
    patience: int = Field(5, ge=1, description="Epochs without a better validation loss before training stops.")
    batch_size: int = Field(256, ge=1, description="Windows in a batch.")
    learning_rate: float = Field(0.001, gt=0.0, description="Adam's step size.")

    @field_validator("name")
    @classmethod
    def _is_a_network(cls, name: str) -> str:
        from songform.learning.networks import NETWORKS  # NumPy, which `songform --help` does not wait for

        if name not in NETWORKS:
            raise PydanticKnownError("literal_error", {"expected": " or ".join(map(repr, NETWORKS))})
        return name


class DownloadSettings(_Section):
    """How politely and how stubbornly audio is fetched, and how much of it."""

    attempts: int = Field(3, ge=1, le=10, description="Attempts a track in one ingest.")
    retry_seconds: float = Field(5.0, ge=0.0, le=3600.0, description="Pause before the second attempt, in s; doubles.")
    timeout_seconds: float = Field(20.0, gt=0.0, description="Silence after which a connection counts as dead, in s.")
    workers: int = Field(8, ge=1, le=64, description="Downloads at the same time, from all hosts together.")
    host_workers: int = Field(2, ge=1, le=16, description="Downloads at the same time from one host.")
    host_seconds: float = Field(1.0, ge=0.0, le=3600.0, description="Between two starts at one host, in s.")
    youtube_workers: int = Field(1, ge=1, le=16, description="The same for YouTube: downloads at the same time.")
    youtube_seconds: float = Field(
        5.0, ge=0.0, le=3600.0, description="The same for YouTube: between two starts, in s."
    )
    throttle_seconds: float = Field(
        60.0, ge=0.0, description="Pause of a host that answers 429 without naming one, in s; doubles."
    )
    throttle_most_seconds: float = Field(900.0, ge=0.0, description="The longest such pause, in s.")
    circuit_seconds: float = Field(3600.0, ge=0.0, description="Pause of a host that takes songform for a robot, in s.")
    patience_seconds: float = Field(
        900.0, ge=0.0, description="The longest pause of a host that an ingest waits for, in s."
    )
    max_megabytes: float = Field(500.0, gt=0.0, description="Most bytes a track, in MB.")
    max_hours: float = Field(3.0, gt=0.0, description="Longest track that is fetched, in hours of sound.")
    max_minutes: float = Field(30.0, gt=0.0, description="Most time to fetch a track, in min; pauses do not count.")
    allow_private: bool = Field(False, description="Fetch from this machine and from private networks, too.")
    allow_plugins: bool = Field(False, description="Let yt-dlp run the plugins that it finds on this machine.")
    # Not part of any dump: neither Prefect's parameters nor MLflow's nor a model's settings shall speak of it.
    cookies: str | None = Field(
        None, exclude=True, description="A cookies.txt (Netscape's format) with which sites are visited."
    )


class RunSettings(_Section):
    """Where the work is done, and how much of the machine is used."""

    workers: int = Field(0, ge=0, description="Tracks extracted at the same time; 0: one a core.")
    max_minutes: float = Field(
        30.0, gt=0.0, description="Longest time that the extraction of a track may take, in min."
    )
    task_runner: Literal["threads", "dask"] = Field("threads", description="This machine, or a Dask cluster.")
    dask_address: str | None = Field(None, description="The cluster's scheduler; none: a cluster on this machine.")


class ReportSettings(_Section):
    """What a song's page holds."""

    audio: Literal["embed", "beside", "none"] = Field(
        "embed",
        description="embed: the audio lies within the page; beside: next to it, as a hard link where the disk can; "
        "none: the page is silent.",
    )
    embed_megabytes: float = Field(
        12.0,
        ge=0.0,
        le=24.0,  # Firefox takes no data: address beyond 32 MB, and base64 adds a third
        description="Largest audio file that a page embeds, in MB; a larger one lies beside it.",
    )


class ScheduleSettings(_Section):
    """What `songform schedule` does beside the playlists; a schedule is a cron expression, empty for never."""

    timezone: str = Field("UTC", description="Time zone of the schedules that name none.")
    retry: str = Field("30 * * * *", description="When failed tracks that are due are tried again.")
    train: str = Field("0 4 * * 1", description="When the model is trained anew.")


class NotifySettings(_Section):
    """Who is told when nobody watches, and of what."""

    command: tuple[str, ...] = Field((), strict=False, description="Program and arguments; the event is its input.")
    webhook: str | None = Field(None, description="Address to which events are posted as JSON.")
    failing_days: int = Field(3, ge=1, description="Days after which a playlist that cannot be listed is an event.")
    least_success: float = Field(0.8, ge=0.0, le=1.0, description="Share of an ingest's tracks that should succeed.")
    yt_dlp_days: int = Field(60, ge=1, description="Age at which yt-dlp is too old, in days.")
    disk_gigabytes: float = Field(5.0, ge=0.0, description="Free space under which the disk is nearly full, in GB.")


class Playlist(_Section):
    """A playlist that is ingested on a schedule: a `[[playlists]]` of songform.toml."""

    url: str = Field(min_length=1, description="Its address; or a folder, or a list.")
    every: str = Field("0 6 * * *", description="When, as a cron expression.")
    timezone: str | None = Field(None, description="Time zone of `every`; none: that of the schedule.")
    limit: int | None = Field(None, ge=1, description="Most tracks to list.")


class Settings(_Section):
    """All settings of songform."""

    audio: AudioSettings = AudioSettings()
    frames: FramesSettings = FramesSettings()
    features: FeaturesSettings = FeaturesSettings()
    states: StatesSettings = StatesSettings()
    sequences: SequencesSettings = SequencesSettings()
    model: ModelSettings = ModelSettings()
    download: DownloadSettings = DownloadSettings()
    run: RunSettings = RunSettings()
    report: ReportSettings = ReportSettings()
    # Read where they are used, from songform.toml, and part of no dump: a webhook's address is a secret.
    schedule: ScheduleSettings = Field(ScheduleSettings(), exclude=True)
    notify: NotifySettings = Field(NotifySettings(), exclude=True)
    playlists: tuple[Playlist, ...] = Field(
        (), strict=False, exclude=True, description="What `songform schedule` keeps ingested."
    )

    @model_validator(mode="after")
    def _a_unit_holds_a_frame(self) -> Self:
        step = self.frames.hop_length / self.frames.sr
        if 0 < self.sequences.pool_seconds < step:
            msg = f"sequences.pool_seconds must be 0 or at least {step:.4f} s, the step from one frame to the next"
            raise ValueError(msg)
        return self

    def flat(self) -> dict[str, Any]:
        """Return every setting that work depends on as `section.name`, in the order of the sections."""
        sections: dict[str, dict[str, Any]] = self.model_dump()
        return {f"{section}.{name}": value for section, values in sections.items() for name, value in values.items()}


def digest(*parts: Any, later: Mapping[str, int] | None = None) -> str:
    """Return 12 hex digits that change when any part changes.

    Parameters
    ----------
    *parts : pydantic models and plain JSON values
        Settings, `VERSION` constants, hashes of tracks: all that determines a file's content.
    later : mapping of str to int, optional
        From `later_versions`: it is a part like the others, but none while it is empty.

    Returns
    -------
    str
        The beginning of the SHA-256 of the parts' canonical JSON.
    """
    plain = [part.model_dump(mode="json") if isinstance(part, BaseModel) else part for part in parts]
    if later:
        plain.append(dict(later))
    canonical = json.dumps(plain, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(canonical.encode()).hexdigest()[:12]


def later_versions(**versions: int) -> dict[str, int]:
    """Return the `VERSION` constants that were increased since they were introduced, by name.

    A module that gets its first `VERSION` when homes exist already must not change their digests: so 1 is left out.
    Every later value is part of the digest, together with its name, because two modules may have the same number.

    Parameters
    ----------
    **versions : int
        The `VERSION` of each module, by a name that never changes.

    Returns
    -------
    dict of str to int
        Those other than 1.
    """
    return {name: version for name, version in versions.items() if version != 1}

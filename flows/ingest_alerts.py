"""What an ingest observes that somebody may want to know, and the alerts that it sends at the end.

`tasks.alerts.conditions` judges, `tasks.alerts.notify` tells each thing once. Without `notify.command` and
`notify.webhook` nothing is looked at; and whatever goes wrong here, it breaks no ingest.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from importlib.metadata import version
from typing import Any

from prefect.logging import get_run_logger

from tasks.alerts.conditions import (
    Condition,
    circuit_condition,
    disk_condition,
    playlist_condition,
    success_conditions,
    version_condition,
)
from tasks.alerts.notify import raise_alarms
from tasks.ingest.fetch.host_rate_limiter import host_pauses
from tasks.ingest.ingest_plan import IngestPlan
from tasks.settings import Settings
from tasks.store.corpus import Corpus

__all__ = ["IngestAlerts"]


@dataclass
class IngestAlerts:
    """What one ingest observed.

    Parameters
    ----------
    corpus : Corpus
        Of its home.
    settings : Settings
        All settings; `notify` says who is told.
    listed : dict of str to str or None
        By source, why it could not be listed; None: it could.
    n_done, n_tried : int
        Tracks that were brought in, and those that this ingest may be judged by.
    began : datetime
        When the ingest began, with its zone.
    """

    corpus: Corpus
    settings: Settings
    listed: dict[str, str | None] = field(default_factory=dict)
    n_done: int = 0
    n_tried: int = 0
    began: datetime = field(default_factory=lambda: datetime.now(UTC))

    def count(self, found: IngestPlan, tracks: Iterable[Mapping[str, Any]]) -> None:
        """Count the tracks by what was known of them before and what became of them.

        A track that failed before and fails again says nothing new: else a single one that is beyond help would spoil
        every quiet day of the year.
        """
        wanted = {track.key for track in found.wanted}
        failed = {key for key, record in found.records.items() if record.error and record.status != "skipped"}
        for track in tracks:
            if track["key"] in wanted and track["status"] != "skipped":
                self.n_done += track["status"] == "done"
                self.n_tried += track["status"] == "done" or track["key"] not in failed

    def send(self) -> list[str]:
        """Raise the alarms; return a sentence for each that could not be delivered."""
        notify = self.settings.notify
        if not (notify.command or notify.webhook):
            return []
        try:
            return raise_alarms(self.corpus, notify, list(self._conditions(datetime.now(UTC))))
        except Exception:  # noqa: BLE001  an alarm is no reason to lose an ingest
            get_run_logger().warning("the alarms of this ingest could not be raised", exc_info=True)
            return []

    def _conditions(self, now: datetime) -> Iterator[Condition]:
        notify, folder = self.settings.notify, self.corpus.data
        for source in self._watched_sources():
            yield playlist_condition(source, self.listed[source], notify)
        if self.listed:  # a retry of what is due is made of failures
            yield from success_conditions(", ".join(self.listed), self.n_done, self.n_tried, notify)
        for host, since, until, reason in host_pauses(self.corpus):
            # A pause that began and ended within a long ingest is worth telling, too.
            yield circuit_condition(host, since, until, reason, self.began)
        yield version_condition(version("yt-dlp"), notify, now)
        yield disk_condition(folder, shutil.disk_usage(folder).free, notify)

    def _watched_sources(self) -> Sequence[str]:
        """Return the sources that are watched: what the web has, and what `songform.toml` lists."""
        known = {playlist.url for playlist in self.settings.playlists}
        return [source for source in self.listed if "://" in source or source in known]

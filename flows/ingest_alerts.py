"""Alarms of an ingest, which are sent at its end.

`tasks.alerts.conditions` determines which conditions need attention, and `tasks.alerts.notify` sends each alarm once.
Without `notify.command` and `notify.webhook`, nothing is checked. An error in sending alarms never stops an ingest.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from importlib.metadata import version
from typing import Any

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
from tasks.recorded_task import run_logger
from tasks.settings import Settings
from tasks.store.corpus import Corpus

__all__ = ["IngestAlerts"]


@dataclass
class IngestAlerts:
    """Observations of one ingest, and the alarms that follow from them.

    Parameters
    ----------
    corpus : Corpus
        Corpus of the home.
    settings : Settings
        All settings; `notify` defines the recipients.
    listed : dict of str to str or None
        Why each source could not be listed, or None if it was listed.
    n_done, n_tried : int
        Number of tracks that were ingested, and number of tracks that count for the success rate.
    began : datetime
        Start of the ingest, with time zone.
    """

    corpus: Corpus
    settings: Settings
    listed: dict[str, str | None] = field(default_factory=dict)
    n_done: int = 0
    n_tried: int = 0
    began: datetime = field(default_factory=lambda: datetime.now(UTC))

    def count(self, found: IngestPlan, tracks: Iterable[Mapping[str, Any]]) -> None:
        """Count the tracks that were ingested and those that count for the success rate.

        A track that had failed before and fails again is not counted, so that a permanently broken track does not cause
        an alert on each day without new tracks.
        """
        wanted = {track.key for track in found.wanted}
        failed = {key for key, record in found.records.items() if record.error and record.status != "skipped"}
        for track in tracks:
            if track["key"] in wanted and track["status"] != "skipped":
                self.n_done += track["status"] == "done"
                self.n_tried += track["status"] == "done" or track["key"] not in failed

    def send(self) -> list[str]:
        """Send the alarms; return one sentence per alarm that could not be delivered."""
        notify = self.settings.notify
        if not (notify.command or notify.webhook):
            return []
        try:
            return raise_alarms(self.corpus, notify, list(self._conditions(datetime.now(UTC))))
        except Exception:  # noqa: BLE001  a failed alarm must not fail the ingest
            run_logger("songform.alarms").warning("the alarms of this ingest could not be sent", exc_info=True)
            return []

    def _conditions(self, now: datetime) -> Iterator[Condition]:
        notify, folder = self.settings.notify, self.corpus.data
        for source in self._watched_sources():
            yield playlist_condition(source, self.listed[source], notify)
        if self.listed:  # retries without sources consist of failed tracks only, so their success rate is meaningless
            yield from success_conditions(", ".join(self.listed), self.n_done, self.n_tried, notify)
        for host, since, until, reason in host_pauses(self.corpus):
            # A pause may also have begun and ended within a long ingest.
            yield circuit_condition(host, since, until, reason, self.began)
        yield version_condition(version("yt-dlp"), notify, now)
        yield disk_condition(folder, shutil.disk_usage(folder).free, notify)

    def _watched_sources(self) -> Sequence[str]:
        """Return the sources whose listing is monitored: addresses, and playlists of `songform.toml`."""
        known = {playlist.url for playlist in self.settings.playlists}
        return [source for source in self.listed if "://" in source or source in known]

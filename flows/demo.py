"""The demo: the whole pipeline on songs that songform composes.

The true form of these songs is known, so the demo can report how well it was found, with the model that is shipped with
songform and with the one that is adapted to the songs. The songs are served on loopback as
a podcast feed and downloaded with yt-dlp, like any other feed.
"""

from __future__ import annotations

import tempfile
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import TYPE_CHECKING, Any
from xml.etree import ElementTree as ET

from tasks.progress import announce
from tasks.settings import Settings
from tasks.store.tracks import feed_key

if TYPE_CHECKING:
    from flows.run import RunReport
    from songform.synth import Song

__all__ = ["N_SONGS", "DemoReport", "demo", "frames_right", "served_feed"]

N_SONGS = 8
FEED_TITLE = "songform demo"

_ITUNES = "http://www.itunes.com/dtds/podcast-1.0.dtd"


@dataclass(frozen=True)
class DemoReport:
    """Result of the demo.

    Parameters
    ----------
    run : RunReport
        Result of the pipeline.
    frames_right : float
        Share of the frames of all songs that have the correct state with the champion, from 0 to 1.
    by_track : dict of str to float
        The same share for each song, by key.
    by_model : dict of str to float
        The share with the shipped model, `pretrained`, unless the settings do not allow it, and with the model of the
        run, `adapted`.
    """

    run: RunReport
    frames_right: float
    by_track: dict[str, float]
    by_model: dict[str, float]


def demo(home: Path, settings: Settings, *, seed: int) -> DemoReport:
    """Compose songs, serve them, run the pipeline on them, and compare the result with the true form.

    A Prefect server must be running.

    Parameters
    ----------
    home : Path
        Home of the corpus.
    settings : Settings
        All settings.
    seed : int
        Seed of the composed songs.
    """
    from flows.run import run
    from songform.synth import playlist

    songs = []
    for count, song in enumerate(playlist(N_SONGS, seed), start=1):
        announce("composing", count, N_SONGS, song.title)
        songs.append(song)
    with (
        tempfile.TemporaryDirectory(prefix="songform-demo-") as folder,
        served_feed(Path(folder), songs, seed) as url,
    ):
        report = run(home, [url], _for_demo(settings), None, "demo")
    truth = {feed_key(FEED_TITLE, guid(seed, number)): song for number, song in enumerate(songs)}
    return _compared(home, report, truth, settings)


def _compared(home: Path, report: RunReport, truth: dict[str, Song], settings: Settings) -> DemoReport:
    """Return the shares of correct frames with the shipped model, with that of the run, and with the champion."""
    from songform.pretrained import pretrained_bundle
    from tasks.models.requested_model import choose_model
    from tasks.report.report_tracks import report_tracks
    from tasks.store.bundles import PRETRAINED, other_setting

    adapted = report.analyzed.model
    models = {"champion": choose_model(home, None, settings), "adapted": adapted}
    if other_setting(pretrained_bundle(network=False), settings) is None:
        models[PRETRAINED] = choose_model(home, PRETRAINED, settings)
    keys = [document["track"]["key"] for document in report.analyzed.reports]
    quick = settings.model_copy(update={"report": settings.report.model_copy(update={"pictures": False})})
    reports = {adapted.model_id: report.analyzed.reports}
    for model in models.values():
        if model.model_id not in reports:
            found = report_tracks(home, keys, quick, model, out=None, n_tracks=len(keys))
            reports[model.model_id] = [document for document in found if "error" not in document]
    shares = {name: frames_right(reports[model.model_id], truth, settings) for name, model in models.items()}
    champion = shares.pop("champion")
    return DemoReport(report, *champion, {name: share for name, (share, _) in shares.items()})


def _for_demo(settings: Settings) -> Settings:
    """Return the settings, changed to download from this machine without pauses and to keep the audio for the pages."""
    download = settings.download.model_copy(update={"allow_private": True, "host_seconds": 0.0})
    audio = settings.audio.model_copy(update={"keep": True})
    return settings.model_copy(update={"download": download, "audio": audio})


def guid(seed: int, number: int) -> str:
    """Return the GUID of a demo song in its feed."""
    return f"songform-demo-{seed}-{number}"


@contextmanager
def served_feed(folder: Path, songs: list[Song], seed: int) -> Iterator[str]:
    """Serve songs as a podcast feed on loopback within a `with` block; yield the address of the feed."""
    import soundfile

    server = _SilentServer(("127.0.0.1", 0), partial(_SilentHandler, directory=str(folder)))
    address = f"http://127.0.0.1:{server.server_port}"
    for number, song in enumerate(songs):
        soundfile.write(folder / f"{number}.flac", song.y, song.sr, subtype="PCM_16")
    (folder / "feed.rss").write_bytes(_feed(songs, seed, address))
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"{address}/feed.rss"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def frames_right(
    reports: Sequence[dict[str, Any]], truth: dict[str, Song], settings: Settings
) -> tuple[float, dict[str, float]]:
    """Return the share of frames with the correct state in some reports, for all songs together and for each song."""
    import numpy as np

    from songform.features.stft import frame_times, n_frames
    from songform.synth import Section, states_at

    by_track, counts = {}, {}
    for document in reports:
        key = document["track"]["key"]
        song, frames = truth[key], settings.frames
        n_samples = round(document["track"]["duration"] * frames.sr)
        times = frame_times(n_frames(n_samples, frames.hop_length), sr=frames.sr, hop_length=frames.hop_length)
        found = [Section(segment["start"], segment["end"], segment["state"]) for segment in document["segments"]]
        right = states_at(found, times) == states_at(song.sections, times)
        by_track[key], counts[key] = float(np.mean(right)), len(times)
    total = sum(counts.values())
    return sum(by_track[key] * counts[key] for key in by_track) / max(total, 1), by_track


def _feed(songs: list[Song], seed: int, address: str) -> bytes:
    """Return the feed as RSS 2.0 with enclosures."""
    ET.register_namespace("itunes", _ITUNES)
    rss = ET.Element("rss", version="2.0")
    channel = ET.SubElement(rss, "channel")
    ET.SubElement(channel, "title").text = FEED_TITLE
    for number, song in enumerate(songs):
        item = ET.SubElement(channel, "item")
        ET.SubElement(item, "title").text = song.title
        ET.SubElement(item, "guid", isPermaLink="false").text = guid(seed, number)
        ET.SubElement(item, f"{{{_ITUNES}}}duration").text = str(round(len(song.y) / song.sr))
        ET.SubElement(item, "enclosure", url=f"{address}/{number}.flac", type="audio/flac")
    document: bytes = ET.tostring(rss, encoding="utf-8", xml_declaration=True)
    return document


class _SilentServer(ThreadingHTTPServer):
    """HTTP server that ignores closed connections: yt-dlp closes one after it has detected the format of a file."""

    def handle_error(self, request: object, client_address: object) -> None:
        """Do nothing; yt-dlp retries requests that fail."""


class _SilentHandler(SimpleHTTPRequestHandler):
    """Request handler that serves a folder without logging."""

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002  the name of the parameter in http.server
        """Do nothing, so that requests are not printed in the terminal."""

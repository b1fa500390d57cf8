"""Ingest of one damaged file in a worker process, and the verdict on its outcome.

The file goes through `tasks.ingest.extraction_worker.extract_track`, as in an ingest. The expected length is that of a
full decode with ffmpeg, which is run separately and counts the samples of all decoded frames. It knows nothing of the
functions of songform that find frames, pages, chunks and boxes. Files that only libsndfile reads are compared with what
`soundfile.read` returns.
"""

from __future__ import annotations

import random
import re
import resource
import subprocess
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path

import soundfile

from benchmarks.fuzz.mutations import mutated
from benchmarks.fuzz.seeds import SECONDS, SeedFile, written_seeds
from songform.audio.headers import ffmpeg_input
from songform.errors import TrackError
from tasks.ingest.extraction_worker import ExtractionJob, ExtractionResult, extract_track
from tasks.settings import Settings
from tasks.store.tracks import Track

__all__ = ["FAULTS", "MAX_MEGABYTES", "MAX_SECONDS", "FuzzJob", "Verdict", "damaged_file", "ingested", "verdict_on"]

MAX_SECONDS = 30.0  # for the ingest of a file and the decode that it is compared with
MAX_MEGABYTES = 600  # resident memory of a worker process, and of a process of ffmpeg
MAX_ADDRESSES = 4 * 2**30  # bytes of address space of each process; libraries and threads reserve 1.5 GB
ORACLE_SECONDS = 10.0  # for the decode that an ingest is compared with
MAX_LENGTH = 600  # characters of a sentence
BURSTS = "instead of samples"  # songform then decodes the frames in a PCM file, which a decoder of PCM plays as noise
OF_FILE = ("transient", "permanent")  # failure classes of a file; the others blame the machine or songform

FAULTS = ("wrong length", "no sentence", "died", "over the limits")
_CODE_WORDS = re.compile(
    r"Traceback|\w+Error\b|\w+Exception\b|File \"|0x[0-9a-f]{6}|unexpected|please report|None\b|b'"
)


@dataclass(frozen=True)
class FuzzJob:
    """One damaged file.

    Parameters
    ----------
    folder : Path
        Folder with the intact files in `seeds`, in which the damaged file is written.
    ffmpeg : str
        Path of the ffmpeg executable.
    seed, number : int
        Seed of the fuzz test, and number of the file, which together determine the file.
    """

    folder: Path
    ffmpeg: str
    seed: int
    number: int


@dataclass(frozen=True)
class Verdict:
    """Outcome of one damaged file.

    Parameters
    ----------
    container, made : str
        Container and name of the intact file, and the mutations.
    outcome : str
        `done`, `done with a note`, `refused`, or one of `FAULTS`.
    about : str
        The notes, or the sentence.
    seconds, expected : float, optional
        Length of the track, and that of a full decode; None if there is none.
    decoder, reference : str
        Names of the decoder that songform used, and of the one whose length was expected.
    by_libsndfile : float, optional
        Length that libsndfile alone returns; None if it does not decode the file.
    took : float
        Duration of the ingest in seconds.
    megabytes : float
        Peak of the resident memory of the worker process, and of its processes of ffmpeg.
    """

    container: str = ""
    made: str = ""
    outcome: str = ""
    about: str = ""
    seconds: float | None = None
    expected: float | None = None
    decoder: str = ""
    reference: str = ""
    by_libsndfile: float | None = None
    took: float = 0.0
    megabytes: float = 0.0

    @property
    def do_decoders_disagree(self) -> bool:
        """Whether libsndfile alone returns another length than ffmpeg."""
        if self.expected is None or self.by_libsndfile is None:
            return False
        return abs(self.by_libsndfile - self.expected) > max(0.1, 0.02 * self.expected)

    @property
    def is_fault(self) -> bool:
        """Whether the outcome is a fault of songform."""
        return self.outcome in FAULTS


def damaged_file(job: FuzzJob) -> tuple[SeedFile, Path, str, random.Random]:
    """Write the damaged file; return its intact file, its path, its mutations, and the random number generator."""
    rng = random.Random(f"{job.seed} {job.number}")
    seeds = _seeds(job.folder, job.ffmpeg)
    intact, other = seeds[job.number % len(seeds)], rng.choice(seeds)
    content, how = mutated(intact.content, rng, other.content)
    suffix = intact.suffix if rng.random() < 0.9 else other.suffix
    path = job.folder / f"fuzz-{job.number}{suffix}"
    path.write_bytes(content)
    return intact, path, how, rng


def ingested(job: FuzzJob) -> Verdict:
    """Make a damaged file, ingest it, and compare the outcome with a full decode."""
    resource.setrlimit(resource.RLIMIT_AS, (MAX_ADDRESSES, MAX_ADDRESSES))
    intact, path, how, rng = damaged_file(job)
    extraction = ExtractionJob(job.folder / "home", _track(path, job.number, rng), path, Settings(), job.ffmpeg)
    outcome: ExtractionResult | TrackError
    of_children = _peak_of_children()
    _reset_peak()
    began = time.monotonic()
    try:
        outcome = extract_track(extraction)
    except TrackError as error:
        outcome = error
    took, megabytes = time.monotonic() - began, _peak()
    if _peak_of_children() > of_children:  # of all files so far, which cannot be reset
        megabytes = max(megabytes, _peak_of_children())
    try:
        verdict = replace(verdict_on(outcome, path, job.ffmpeg), took=took, megabytes=megabytes)
    finally:
        for each in (path, *(outcome.files if isinstance(outcome, ExtractionResult) else ())):
            each.unlink(missing_ok=True)
    is_over = megabytes > MAX_MEGABYTES or "out of memory" in verdict.about
    return replace(
        verdict,
        container=intact.container,
        made=f"{intact.name}: {how}",
        outcome="over the limits" if is_over else verdict.outcome,
    )


def verdict_on(outcome: ExtractionResult | TrackError, path: Path, ffmpeg: str) -> Verdict:
    """Return the verdict on the outcome of an extraction.

    Parameters
    ----------
    outcome : ExtractionResult or TrackError
        The outcome.
    path : Path
        Path of the damaged file, which is decoded unless it was refused.
    ffmpeg : str
        Path of the ffmpeg executable.
    """
    if isinstance(outcome, TrackError):
        refused = "refused" if _is_sentence(str(outcome)) and outcome.failure in OF_FILE else "no sentence"
        return Verdict(outcome=refused, about=f"{outcome} [{outcome.failure}]")
    expected, reference = _decoded_seconds(path, ffmpeg)
    is_other = any(BURSTS in note for note in outcome.notes)
    if expected is None or (not is_other and abs(outcome.duration - expected) > _tolerance(expected, outcome.notes)):
        found = "wrong length"
    elif not all(_is_sentence(note) for note in outcome.notes):
        found = "no sentence"
    else:
        found = "done with a note" if outcome.notes else "done"
    return Verdict(
        outcome=found,
        about="; ".join(outcome.notes),
        seconds=outcome.duration,
        expected=expected,
        decoder=outcome.decoder,
        reference=reference,
        by_libsndfile=_sndfile_seconds(path),
    )


def _track(path: Path, number: int, rng: random.Random) -> Track:
    """Return the track of a file. Half of them are local files. For some of the others, the feed states a length."""
    local, stated = str(path) if rng.random() < 0.5 else None, SECONDS if rng.random() < 0.3 else None
    return Track(key=f"file-{number}", title=f"Track {number}", source="fuzz", path=local, duration=stated)


def _tolerance(expected: float, notes: Sequence[str]) -> float:
    """Return the accepted difference in seconds.

    It is 2 %, or 0.1 s for the samples that encoders add. songform decodes each part of a file whose sampling rate
    changes separately, so that each part has such samples.
    """
    times = [note.partition(" changes at ")[2] for note in notes if " changes at " in note]
    n_parts = 1 + sum(1 + each.count(",") for each in times)
    return max(0.1 * n_parts, 0.02 * expected)


def _is_sentence(text: str) -> bool:
    """Return whether a text is one complete line without words of Python or of a debugger."""
    is_line = text.isprintable() and len(text) < MAX_LENGTH and text[-1:] not in ("", ":", ",", ";", "(")
    return is_line and _CODE_WORDS.search(text) is None


@lru_cache(maxsize=1)
def _seeds(folder: Path, ffmpeg: str) -> tuple[SeedFile, ...]:
    return written_seeds(folder / "seeds", ffmpeg)


def _decoded_seconds(path: Path, ffmpeg: str) -> tuple[float | None, str]:
    """Return the length of all audio that ffmpeg decodes or, if it finds none, libsndfile; and which of them did."""
    command = [ffmpeg, "-v", "error", *ffmpeg_input(path), "-map", "0:a:0", "-f", "framecrc", "pipe:1"]
    try:
        run = subprocess.run(
            command, stdin=subprocess.DEVNULL, capture_output=True, timeout=ORACLE_SECONDS, check=False
        )
    except subprocess.TimeoutExpired:
        return None, ""
    lines = run.stdout.decode(errors="replace").splitlines()
    tick = next((line.partition(":")[2] for line in lines if line.startswith("#tb 0")), "")
    n_ticks = sum(int(line.split(",")[3]) for line in lines if not line.startswith("#"))
    if n_ticks:
        numerator, denominator = tick.split("/")
        return n_ticks * int(numerator) / int(denominator), "ffmpeg"
    seconds = _sndfile_seconds(path)
    return seconds, "" if seconds is None else "libsndfile"


def _sndfile_seconds(path: Path) -> float | None:
    """Return the length of all samples that libsndfile returns for a file, or None if it cannot decode it."""
    try:
        with path.open("rb") as file, _Unseekable(file) as sound:
            n_samples = 0
            while block := len(sound.read(2**20 // sound.channels)):
                n_samples += block
            return n_samples / sound.samplerate
    except (soundfile.SoundFileError, MemoryError):
        return None


class _Unseekable(soundfile.SoundFile):  # type: ignore[misc]  # soundfile has no types
    """A sound file that soundfile does not seek in after each block, because some codecs cannot seek."""

    def seekable(self) -> bool:
        return False


def _reset_peak() -> None:
    Path("/proc/self/clear_refs").write_text("5", encoding="ascii")  # the peak of the resident memory starts anew


def _peak() -> float:
    """Return the peak of the resident memory of this process, in MB."""
    status = Path("/proc/self/status").read_text(encoding="ascii")
    return int(re.findall(r"VmHWM:\s+(\d+) kB", status)[0]) / 1000


def _peak_of_children() -> float:
    """Return the peak of the resident memory of the processes of ffmpeg that have ended, in MB."""
    return resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1000

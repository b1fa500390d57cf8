"""Explanation of a training split whose songs are too short for the windows of the network.

If the network predicts a state at each unit, a window is a single unit.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path

from songform.errors import CorpusError
from songform.learning.splits import Split
from songform.plain_text import plain_text
from tasks.settings import Settings
from tasks.store.corpus import Corpus
from tasks.store.tracks import TrackRecord
from tasks.train.training_plan import Plan, recordings
from tasks.train.window_source import count_windows, window_shape

__all__ = ["require_training_windows", "short_songs"]

_MAX_NAMES = 5  # maximum number of songs that are named


def require_training_windows(home: Path, plan: Plan, settings: Settings) -> None:
    """Check that the training part has a window, before anything is computed.

    Parameters
    ----------
    home, plan, settings
        Path of the home, plan of the training run, and all settings.

    Raises
    ------
    CorpusError
        If it has none.
    """
    corpus = Corpus(home)
    if not any(count_windows(corpus, key, spans, settings) for key, spans in plan.split.train.items()):
        raise CorpusError(short_songs(corpus, plan, settings))


def short_songs(corpus: Corpus, plan: Plan, settings: Settings) -> str:
    """Return one sentence on a training part without a window: which songs are too short, and how to fix it.

    It also says why the songs that are long enough do not help.

    Parameters
    ----------
    corpus, plan, settings
        The corpus, the plan of a training run (whose training part has no window), and all settings.
    """
    records = [record for record in map(corpus.record, plan.keys) if record is not None]
    n_windows = {record.key: count_windows(corpus, record.key, [(0.0, math.inf)], settings) for record in records}
    parts = [
        _too_short([record for record in records if not n_windows[record.key]]),
        _held_out([record for record in records if n_windows[record.key]], plan.split),
        _copies(corpus, records, settings),
        _remedy([record for record in records if record.key in plan.split.train], settings),
    ]
    return f"the training tracks are too short for {_window(settings)}; {'; '.join(filter(None, parts))}"


def _window(settings: Settings) -> str:
    sequences = settings.sequences
    ahead = f" with a target {sequences.ahead_seconds:g} s ahead" if sequences.moment == "ahead" else ""
    return f"a {'unit' if sequences.every_unit else 'window'} of {_length(settings)[1]:g} s{ahead}"


def _length(settings: Settings) -> tuple[str, float]:
    """Return the name and the value in seconds of the setting that determines how long a song must be."""
    sequences = settings.sequences
    if sequences.every_unit:
        return "sequences.pool_seconds", window_shape(settings).unit_seconds
    return "sequences.seconds", sequences.seconds


def _too_short(records: Sequence[TrackRecord]) -> str:
    return f"songs that are too short: {_named(records)}" if records else ""


def _held_out(records: Sequence[TrackRecord], split: Split) -> str:
    """Return which songs are long enough, although the training part has no window of them."""
    if not records:
        return "no song is long enough"
    held_out = all(record.key in split.validation or record.key in split.test for record in records)
    where = (
        "needed for validation and test" if held_out and split.by_track else "divided into blocks that are too short"
    )
    return f"songs that are long enough, but {where}: {_named(records)}"


def _copies(corpus: Corpus, records: Sequence[TrackRecord], settings: Settings) -> str:
    """Return which tracks are copies of one recording, which count as one song."""
    titles = {record.key: record for record in records}
    groups = [group for group in recordings(corpus, records, settings) if len(group) > 1]
    named = ", ".join(f"[{_named([titles[key] for key in group])}]" for group in groups[:_MAX_NAMES])
    return f"copies of one recording count as one song: {named}" if groups else ""


def _remedy(records: Sequence[TrackRecord], settings: Settings) -> str:
    """Return how long songs must be, and which shorter window the longest training song allows."""
    sequences = settings.sequences
    name, seconds = _length(settings)
    ahead = sequences.ahead_seconds if sequences.moment == "ahead" else 0.0
    longest = max((record.duration or 0.0 for record in records), default=0.0)
    shorter = math.floor((longest - ahead) / 2)
    example = f", for example to {shorter}" if seconds > shorter >= max(1, 2 * sequences.pool_seconds) else ""
    lower = ", or lower sequences.ahead_seconds" if ahead else ""
    return f"add songs of at least {2 * seconds + ahead:g} s, or lower {name}{example}{lower}"


def _named(records: Sequence[TrackRecord]) -> str:
    named = [f"{plain_text(record.title, 60)} ({record.duration or 0.0:.1f} s)" for record in records[:_MAX_NAMES]]
    more = f" and {len(records) - _MAX_NAMES} more" if len(records) > _MAX_NAMES else ""
    return f"{', '.join(named)}{more}"

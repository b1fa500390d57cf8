"""Damaged files that a training finds: they are renamed, and the training starts again without them.

A track whose features or overview are damaged or missing is left out. States that are damaged are computed again.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

from songform.errors import UnreadableFileError
from tasks.settings import Settings
from tasks.store.corpus import Corpus
from tasks.store.damaged_files import set_aside_error
from tasks.store.tables import check_features, check_overview, features_config, read_table
from tasks.train.training_plan import LEFT_OUT, Plan

__all__ = ["missing_inputs", "set_aside_inputs"]

_AGAIN = "it is computed again"
_MAX_TITLES = 3  # in the sentence about tracks without tables


def missing_inputs(home: Path, settings: Settings) -> list[str]:
    """Return one sentence about the tracks whose records state tables that no longer exist, or nothing.

    A track whose features were never extracted with these settings has no such tables in its record.
    """
    corpus, config = Corpus(home), features_config(settings)
    titles = []
    for record in corpus.records():
        stated = [name for name in corpus.table_names(config, record.key) if name in record.files]
        if record.status == "done" and not all((corpus.data / name).exists() for name in stated):
            titles.append(record.title)
    if not titles:
        return []
    named = ", ".join(titles[:_MAX_TITLES])
    more = f" and {len(titles) - _MAX_TITLES} more" if len(titles) > _MAX_TITLES else ""
    many = "1 track is" if len(titles) == 1 else f"{len(titles)} tracks are"
    msg = (
        f"{many} left out of the training because the tables of features or overview are missing: {named}{more}; "
        "run songform ingest with their sources, which creates the tables again"
    )
    return [msg]


def set_aside_inputs(home: Path, plan: Plan, settings: Settings, found: UnreadableFileError) -> list[str]:
    """Rename the damaged files that a training reads, and return one sentence about each.

    Parameters
    ----------
    home, plan, settings
        Path of the home, plan of the training, and all settings.
    found : UnreadableFileError
        The error that stopped the training. The other files are read completely, so that the training has to start
        again only once.
    """
    corpus = Corpus(home)
    problems: list[str] = []
    for check, what_next in _checks(corpus, plan, settings):
        try:
            check()
        except UnreadableFileError as error:
            problems.append(set_aside_error(error, what_next))
    if found.path.exists() and found.is_damaged and not any(str(found.path) in problem for problem in problems):
        problems.append(set_aside_error(found, _AGAIN))
    return problems


def _checks(corpus: Corpus, plan: Plan, settings: Settings) -> Iterator[tuple[Callable[[], object], str]]:
    """Yield a function that reads each table of the training, and what happens if it is damaged."""
    for key in plan.keys:
        for check in (check_features, check_overview):
            yield partial(check, corpus, key, settings), LEFT_OUT
        path = corpus.states_path(plan.states_id, f"{key}.parquet")
        if path.is_file():
            yield partial(read_table, path), _AGAIN

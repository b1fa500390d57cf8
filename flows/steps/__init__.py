"""Steps of the flows `ingest` and `analyze`; importing them does not import Prefect."""

from __future__ import annotations

from pathlib import Path

__all__ = ["report_modules"]

_REPORT_MODULES = (
    "tasks.report.report_tracks",
    "tasks.report.song_tables",
    "tasks.models.requested_model",
    "songform.pages.song",
    "jams",
    "sklearn.cluster",
)


def report_modules(home: Path) -> tuple[str, ...]:
    """Return the modules that an analysis needs, that an ingest does not need, and that take long to import.

    MLflow is needed only if the home has a store, in which the champion is looked up.
    """
    from tasks.train.tracking import has_store

    return (*_REPORT_MODULES, "tasks.models.registry") if has_store(home) else _REPORT_MODULES

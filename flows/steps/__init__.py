"""Steps of the flows `ingest` and `analyze`; importing them does not import Prefect."""

from __future__ import annotations

__all__ = ["REPORT_MODULES"]

REPORT_MODULES = (
    "tasks.report.report_tracks",
    "tasks.report.song_tables",
    "tasks.train.requested_model",
    "songform.pages.song",
    "jams",
    "sklearn.cluster",
)
"""Modules that an analysis needs and an ingest does not, and that take long to import."""

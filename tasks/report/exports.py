"""Exports of a report to the label formats of other programs."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from songform import __version__
from songform.annotation.formats import WRITERS
from songform.annotation.formats.songform_report import report_annotation
from tasks.store.atomic_files import atomic_path

__all__ = ["export_paths", "write_exports"]


def export_paths(report: Path) -> list[Path]:
    """Return the paths of a report's exports: in the folder of the report, in the order of `WRITERS`."""
    return [report.with_suffix(suffix) for suffix in WRITERS]


def write_exports(report: Path, document: Mapping[str, Any]) -> None:
    """Write a report in each format, each file atomically.

    Parameters
    ----------
    report : Path
        Path of the JSON report, which need not exist yet.
    document : dict
        Content of the report.
    """
    model = document["model"]["id"]  # not its address, which is only meaningful in this home
    annotation = report_annotation(document, annotator=f"songform model {model}", tool=f"songform {__version__}")
    for path, write in zip(export_paths(report), WRITERS.values(), strict=True):
        with atomic_path(path) as temporary:
            temporary.write_text(write(annotation), encoding="utf-8")

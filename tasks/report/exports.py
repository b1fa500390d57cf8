"""Exports: a report in the formats that others read, beside its JSON."""

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
    """Return where the exports of a report lie: beside it, in the order of `WRITERS`."""
    return [report.with_suffix(suffix) for suffix in WRITERS]


def write_exports(report: Path, document: Mapping[str, Any]) -> None:
    """Write a report in every format, each file whole or not at all.

    Parameters
    ----------
    report : Path
        Where the report itself lies, or will lie: as JSON.
    document : dict
        The report.
    """
    model = document["model"]["id"]  # not its address, which means this model in this home alone
    annotation = report_annotation(document, annotator=f"songform model {model}", tool=f"songform {__version__}")
    for path, write in zip(export_paths(report), WRITERS.values(), strict=True):
        with atomic_path(path) as temporary:
            temporary.write_text(write(annotation), encoding="utf-8")

"""Formats: how annotations are written down, and how others have written theirs.

Each module is one format, and has the same two functions: ``read(text) -> Annotation`` and
``write(annotation) -> str``. `FORMATS` lists them all.

============  ====================  ==============================  ===========
module        files                 what it is                      confidences
============  ====================  ==============================  ===========
`lab`         ``.lab``              start, end, label               no
`audacity`    ``.labels.txt, .txt`` Audacity's label track          no
`csv_labels`  ``.csv, .tsv``        comma-separated, with a header  yes
`jams_file`   ``.jams``             JAMS, `segment_open`            yes
`report`      ``.json``             songform's report               yes
============  ====================  ==============================  ===========

`read_annotation` knows a file by its suffix; one that is called otherwise, or merely `.txt` or `.json`, by its content.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from songform.annotation.annotations import Annotation
from songform.annotation.formats import audacity, csv_labels, jams_file, lab, songform_report
from songform.annotation.formats.label_rows import lines_of
from songform.errors import AnnotationError
from songform.plain_text import plain_text

__all__ = ["FORMATS", "MOST_BYTES", "VERSION", "WRITERS", "LabelFormat", "parsed_annotation", "read_annotation"]

VERSION = 1  # increase this when the same segments give another text: older exports are then written again

MOST_BYTES = 16 * 2**20
"""A file of labels is smaller; whatever is larger is something else."""


class LabelFormat(NamedTuple):
    """One format: how it is read, written and recognized."""

    read: Callable[[str], Annotation]
    write: Callable[[Annotation], str]
    recognizes: Callable[[str], bool]
    """Whether a text is of this format; asked where the suffix of the file does not say it."""
    suffixes: tuple[str, ...] = ()
    """Suffixes of files that are always of this format."""
    export: str = ""
    """Suffix of the file that `songform analyze` writes beside each report; empty: it writes none."""
    has_confidences: bool = False
    """Whether the format has a place for confidences."""


def _is_json(text: str) -> bool:
    return text.lstrip().startswith(("{", "["))


def _is_jams(text: str) -> bool:
    return _is_json(text) and '"file_metadata"' in text


def _is_csv(text: str) -> bool:
    header = _lines(text)[:1]
    return bool(header) and set(csv_labels.COLUMNS[:2]) <= set(header[0].casefold().replace(";", ",").split(","))


def _is_label_track(text: str) -> bool:
    lines = _lines(text)
    return any(line.startswith(audacity.FREQUENCIES) for line in lines) or "\t" in "".join(lines[:1])


def _lines(text: str) -> list[str]:
    return [line for _, line in lines_of(text)]


FORMATS: dict[str, LabelFormat] = {
    "jams_file": LabelFormat(jams_file.read, jams_file.write, _is_jams, (".jams",), ".jams", has_confidences=True),
    "report": LabelFormat(songform_report.read, songform_report.write, _is_json, has_confidences=True),
    "csv_labels": LabelFormat(
        csv_labels.read, csv_labels.write, _is_csv, (".csv", ".tsv"), ".csv", has_confidences=True
    ),
    "audacity": LabelFormat(audacity.read, audacity.write, _is_label_track, export=".labels.txt"),
    "lab": LabelFormat(lab.read, lab.write, lambda _text: True, (".lab",), ".lab"),
}
"""All formats. The first that recognizes a text reads it; `lab`, the last, takes what no other does."""

WRITERS = {label_format.export: label_format.write for label_format in FORMATS.values() if label_format.export}
"""How a report is written beside its JSON, by suffix."""

_READERS = {suffix: label_format.read for label_format in FORMATS.values() for suffix in label_format.suffixes}


def read_annotation(path: str | Path) -> Annotation:
    """Read a file of labels in any of the formats.

    Parameters
    ----------
    path : path
        The file.

    Raises
    ------
    AnnotationError
        If it cannot be read: one sentence, with the line.
    """
    path = Path(path)
    name = plain_text(path.name)
    try:
        with path.open("rb") as file:
            content = file.read(MOST_BYTES + 1)
        if len(content) > MOST_BYTES:
            raise AnnotationError(f"{name} is larger than {MOST_BYTES // 2**20} MiB; is it a file of labels?")
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        msg = f"{name} is no text in UTF-8 (byte {error.start}); save it as UTF-8, or name the file of labels"
        raise AnnotationError(msg) from error
    except OSError as error:
        raise AnnotationError(f"{name} cannot be read ({error.strerror}); check its name and permissions") from error
    try:
        return parsed_annotation(text, path.name)
    except AnnotationError as error:
        raise AnnotationError(f"{name} cannot be used: {error}") from error


def parsed_annotation(text: str, name: str = "") -> Annotation:
    """Read labels from text.

    Parameters
    ----------
    text : str
        The content of a file.
    name : str
        The file's name, of which only the suffix counts.

    Raises
    ------
    AnnotationError
        If it cannot be read, with the line.
    """
    read = _READERS.get(Path(name).suffix.lower()) or _recognized(text)
    return read(text)


def _recognized(text: str) -> Callable[[str], Annotation]:
    return next(label_format.read for label_format in FORMATS.values() if label_format.recognizes(text))

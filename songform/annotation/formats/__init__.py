"""Formats: how annotations are written down, and how others have written theirs.

Each module is one format, and has the same two functions: ``read(text) -> Annotation`` and
``write(annotation) -> str``.

==========  ========================  ==============================  ===========
module      files                     what it is                      confidences
==========  ========================  ==============================  ===========
`lab`       ``.lab``                  start, end, label               no
`audacity`  ``.labels.txt, .txt``     Audacity's label track          no
`csv_labels`     ``.csv, .tsv``            comma-separated, with a header  yes
`jams_file`  ``.jams``                 JAMS, `segment_open`            yes
`report`    ``.json``                 songform's report               yes
==========  ========================  ==============================  ===========

`read_annotation` knows a file by its suffix; one that is called otherwise, or merely `.txt` or `.json`, by its content.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from songform.annotation.annotations import Annotation
from songform.annotation.formats import audacity, csv_labels, jams_file, lab, report
from songform.annotation.formats.rows import lines_of
from songform.errors import AnnotationError
from songform.sanitize import plain_text

__all__ = ["MOST_BYTES", "VERSION", "WRITERS", "parsed_annotation", "read_annotation"]

VERSION = 1  # increase this when the same segments give another text: older exports are then written again

MOST_BYTES = 16 * 2**20
"""A file of labels is smaller; whatever is larger is something else."""

WRITERS: dict[str, Callable[[Annotation], str]] = {
    ".jams": jams_file.write,
    ".lab": lab.write,
    ".labels.txt": audacity.write,
    ".csv": csv_labels.write,
}
"""How a report is written beside its JSON, by suffix."""

_READERS: dict[str, Callable[[str], Annotation]] = {
    ".lab": lab.read,
    ".csv": csv_labels.read,
    ".tsv": csv_labels.read,
    ".jams": jams_file.read,
}


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
    read = _READERS.get(Path(name).suffix.lower()) or _reader_of(text)
    return read(text)


def _reader_of(text: str) -> Callable[[str], Annotation]:
    """Tell the format by the content."""
    if text.lstrip().startswith(("{", "[")):
        return jams_file.read if '"file_metadata"' in text else report.read
    lines = [line for _, line in lines_of(text)]
    if lines and set(csv_labels.COLUMNS[:2]) <= set(lines[0].casefold().replace(";", ",").split(",")):
        return csv_labels.read
    is_track = any(line.startswith(audacity.FREQUENCIES) for line in lines) or (lines and "\t" in lines[0])
    return audacity.read if is_track else lab.read

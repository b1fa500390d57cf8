"""File formats of annotations.

Each module reads and writes one format with two functions, ``read(text) -> Annotation`` and
``write(annotation) -> str``. `FORMATS` lists all formats.

=================  ====================  ==============================  ===========
module             files                 content                         confidences
=================  ====================  ==============================  ===========
`lab`              ``.lab``              start, end, label               no
`audacity`         ``.labels.txt, .txt`` Audacity's label track          no
`csv_labels`       ``.csv, .tsv``        comma-separated                 yes
`jams_file`        ``.jams``             JAMS, `segment_open`            yes
`songform_report`  ``.json``             songform's report               yes
=================  ====================  ==============================  ===========

`read_annotation` recognizes the format by the suffix of the file, or by its content if the suffix is `.txt` or unknown;
a `.json` file is a JAMS file or a report. The columns of `lab`, `audacity` and `csv_labels` files are recognized by
their names (`column_names`) or, in a file without a header, by the numbers of all rows (`column_layouts`).

Three more modules have other functions, because their formats cannot store every annotation: `beat_lines` reads and
writes beats (``.beats``), `rekordbox` reads and writes beat grids and cues (``.xml``), and `reaper_regions` writes the
regions of REAPER, which `csv_labels` reads. JAMS files can contain beats as well. `read_labels` reads the sections and
the beats of a file, and `read_report` everything in a report that can be scored.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple, TypeVar

from songform.annotation.annotations import Annotation
from songform.annotation.beat_annotation import BeatAnnotation
from songform.annotation.formats import (
    audacity,
    beat_lines,
    csv_labels,
    jams_file,
    lab,
    reaper_regions,
    rekordbox,
    songform_report,
)
from songform.annotation.formats.label_rows import lines_of, parsed_json
from songform.annotation.formats.songform_report import ReportContents
from songform.errors import AnnotationError
from songform.plain_text import plain_text

__all__ = [
    "FORMATS",
    "LEVEL_WRITERS",
    "MAX_BYTES",
    "SECTION_WRITERS",
    "VERSION",
    "WRITERS",
    "LabelContents",
    "LabelFormat",
    "parsed_annotation",
    "read_annotation",
    "read_beats",
    "read_labels",
    "read_report",
]

Result = TypeVar("Result")

VERSION = 2  # increase this when the same segments result in a different text, so that exports are written again

MAX_BYTES = 16 * 2**20
"""Maximum size of a label file in bytes."""


class LabelFormat(NamedTuple):
    """Functions that read, write and recognize a format, and its suffixes."""

    read: Callable[[str], Annotation]
    write: Callable[[Annotation], str]
    recognizes: Callable[[str], bool]
    """Return whether a text is in this format; used if the suffix of the file does not determine the format."""
    suffixes: tuple[str, ...] = ()
    """Suffixes of files that are always in this format."""
    export: str = ""
    """Suffix of the file that `songform analyze` writes next to each report; empty if it writes none."""
    has_confidences: bool = False
    """Whether the format can store confidences."""


class LabelContents(NamedTuple):
    """Contents of a label file; at least one of them is not None."""

    sections: Annotation | None
    beats: BeatAnnotation | None


# A bracket may also begin a line of lyrics, such as `[00:12.00]` or `[Verse]`.
_JSON = re.compile(r"\s*(\{|\[\s*([\[\]{\"]|-?\d[\d.eE+-]*\s*[,\]]|$))")


def _is_json(text: str) -> bool:
    return _JSON.match(text) is not None


def _is_jams(text: str) -> bool:
    return _is_json(text) and '"file_metadata"' in text


def _is_label_track(text: str) -> bool:
    lines = _lines(text)
    return any(line.startswith(audacity.FREQUENCIES) for line in lines) or "\t" in "".join(lines[:1])


def _lines(text: str) -> list[str]:
    return [line for _, line in lines_of(text)]


FORMATS: dict[str, LabelFormat] = {
    "jams_file": LabelFormat(jams_file.read, jams_file.write, _is_jams, (".jams",), ".jams", has_confidences=True),
    "report": LabelFormat(songform_report.read, songform_report.write, _is_json, has_confidences=True),
    "csv_labels": LabelFormat(
        csv_labels.read, csv_labels.write, csv_labels.recognizes, (".csv", ".tsv"), ".csv", has_confidences=True
    ),
    "audacity": LabelFormat(audacity.read, audacity.write, _is_label_track, export=".labels.txt"),
    "lab": LabelFormat(lab.read, lab.write, lambda _text: True, (".lab",), ".lab"),
}
"""All formats. The first one that recognizes a text reads it; `lab` is last and accepts any text."""

WRITERS = {label_format.export: label_format.write for label_format in FORMATS.values() if label_format.export}
"""Functions that write the segments of a report, by the suffix of the file."""

LEVEL_WRITERS = {suffix: write for suffix, write in WRITERS.items() if suffix != ".jams"}
"""Functions that write the sections or the phrases of a report; JAMS files contain them together with the segments."""

SECTION_WRITERS = {**LEVEL_WRITERS, ".reaper.csv": reaper_regions.write}
"""Functions that write the sections of a report."""

_READERS = {suffix: label_format.read for label_format in FORMATS.values() for suffix in label_format.suffixes}
_READERS[rekordbox.SUFFIX] = rekordbox.read


def read_annotation(path: str | Path) -> Annotation:
    r"""Read a label file in any of the formats.

    Parameters
    ----------
    path : path
        Path of the file.

    Raises
    ------
    AnnotationError
        If the file cannot be read; the message names the line or the segment.

    Examples
    --------
    >>> _ = Path("song.lab").write_text("0.0 9.5 Intro\n9.5 20.0 Verse\n")
    >>> annotation = read_annotation("song.lab")
    >>> annotation.labels
    ('Intro', 'Verse')
    """
    path = Path(path)
    return _read(path, lambda text: parsed_annotation(text, path.name))


def read_beats(path: str | Path) -> BeatAnnotation:
    r"""Read a file of beats.

    Parameters
    ----------
    path : path
        Path of the file.

    Raises
    ------
    AnnotationError
        If the file cannot be read; the message names the line.

    Examples
    --------
    >>> _ = Path("song.beats").write_text("0.5 1\n1.0 2\n1.5 1\n")
    >>> read_beats("song.beats").downbeats
    array([0.5, 1.5])
    """
    return _read(Path(path), beat_lines.read)


def read_labels(path: str | Path) -> LabelContents:
    """Read the sections and the beats of a label file.

    A file with the suffix `.beats` contains beats, a JAMS file or a collection of Rekordbox can contain both, and other
    files contain sections.

    Parameters
    ----------
    path : path
        Path of the file.

    Raises
    ------
    AnnotationError
        If the file cannot be read; the message names the line, the segment or the beat.
    """
    path = Path(path)
    return _read(path, lambda text: _contents(text, path))


def read_report(path: str | Path) -> ReportContents:
    """Read what can be scored in a report of songform.

    Parameters
    ----------
    path : path
        Path of the file.

    Raises
    ------
    AnnotationError
        If the file cannot be read; the message names the segment and its field.
    """
    return _read(Path(path), lambda text: songform_report.report_contents(parsed_json(text)))


def parsed_annotation(text: str, name: str = "") -> Annotation:
    """Read labels from text.

    Parameters
    ----------
    text : str
        Content of a file.
    name : str
        Name of the file; only its suffix is used.

    Raises
    ------
    AnnotationError
        If the text cannot be read; the message names the line or the segment.
    """
    suffix = Path(name).suffix.lower()
    if suffix == ".json":
        return jams_file.read(text) if _is_jams(text) else songform_report.read(text)
    read = _READERS.get(suffix) or _recognized(text)
    return read(text)


def _contents(text: str, path: Path) -> LabelContents:
    suffix = path.suffix.lower()
    if suffix == beat_lines.SUFFIX:
        return LabelContents(None, beat_lines.read(text))
    if suffix == ".jams" or (suffix not in _READERS and _is_jams(text)):
        return LabelContents(*jams_file.read_with_beats(text))
    if suffix == rekordbox.SUFFIX or (suffix not in _READERS and rekordbox.recognizes(text)):
        return LabelContents(*rekordbox.read_with_beats(text))
    return LabelContents(parsed_annotation(text, path.name), None)


def _read(path: Path, parse: Callable[[str], Result]) -> Result:
    """Read a file; messages of errors begin with its name."""
    name = plain_text(path.name)
    try:
        with path.open("rb") as file:
            content = file.read(MAX_BYTES + 1)
        if len(content) > MAX_BYTES:
            raise AnnotationError(f"{name} is larger than {MAX_BYTES // 2**20} MiB; is it a label file?")
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        msg = f"{name} is not UTF-8 text (byte {error.start} is invalid); if it is a label file, save it as UTF-8"
        raise AnnotationError(msg) from error
    except OSError as error:
        raise AnnotationError(f"{name} cannot be read ({error.strerror}); check its name and permissions") from error
    try:
        return parse(text)
    except AnnotationError as error:
        raise AnnotationError(f"{name} cannot be used: {error}") from error


def _recognized(text: str) -> Callable[[str], Annotation]:
    if rekordbox.recognizes(text):
        return rekordbox.read
    return next(label_format.read for label_format in FORMATS.values() if label_format.recognizes(text))

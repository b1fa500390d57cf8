"""Check of the label format `.jsonl`: exported, read by its suffix and by its content, and found next to songs."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest

from songform import Annotation, read_annotation
from songform.annotation.formats import parsed_annotation
from songform.errors import AnnotationError
from tasks.annotate.annotations import named_annotator
from tasks.report.exports import export_paths, write_exports

SEGMENTS = [
    {"start": 0.0, "end": 9.5, "state": "Calm", "confidence": 0.43},
    {"start": 9.5, "end": 20.000001, "state": "état 3", "confidence": 1.0},
]


def check(found: Annotation) -> None:
    """Compare an annotation with the segments."""
    assert found.labels == tuple(segment["state"] for segment in SEGMENTS)
    assert np.array_equal(found.intervals, [[segment["start"], segment["end"]] for segment in SEGMENTS])
    assert np.array_equal(found.confidences, [segment["confidence"] for segment in SEGMENTS])


def main(folder: Path) -> None:
    """Export a report as `songform analyze` does, and read the file back as `songform annotate` does."""
    report = folder / "file-0.json"
    document = {"track": {"title": "song"}, "model": {"id": "own"}, "segments": SEGMENTS}
    write_exports(report, document)
    exported = report.with_suffix(".jsonl")
    assert exported in export_paths(report, document)
    check(read_annotation(exported))
    check(parsed_annotation(exported.read_text(encoding="utf-8")))
    for other in export_paths(report, document):  # the new format does not recognize files of other formats
        assert parsed_annotation(other.read_text(encoding="utf-8")).labels[0] == "Calm"
    with pytest.raises(AnnotationError, match="line 1"):
        parsed_annotation('{"start": 0, "end": 1}\n', "broken.jsonl")
    assert named_annotator("song.Ana.jsonl", "song") == "Ana"


main(Path(sys.argv[1]))

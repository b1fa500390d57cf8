"""Table `songs`: networks and baselines on the labels that the states give to songs without true states."""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

__all__ = ["print_songs"]

MODELS = {
    "network": "test",
    "logistic regression": "logistic",
    "nearest centroid": "centroid",
    "persistence": "persistence",
    "majority": "majority",
}
"""Model, and the beginning of the names of its metrics."""
TARGETS = {
    "current": ("sequences.target=current",),
    "2 s ahead": ("sequences.target=ahead", "sequences.ahead_seconds=2"),
    "8 s ahead": ("sequences.target=ahead", "sequences.ahead_seconds=8"),
}
FORMS = {"at every unit": (), "per window of 12 s": ("sequences.every_unit=false",)}


def print_songs(corpus: Path) -> None:
    """Ingest the songs of a folder, train on them with each target, and print the scores on the test tracks."""
    print("\nPseudo-labels of test tracks: macro-F1 of each model\n")
    print(f"| target | labels | {' | '.join(MODELS)} |\n|---|---|{'--:|' * len(MODELS)}")
    with tempfile.TemporaryDirectory(prefix="songform-study-") as home:
        _songform(home, "ingest", str(corpus))
        for target, of_target in TARGETS.items():
            for form, of_form in FORMS.items():
                words = (word for setting in (*of_target, *of_form) for word in ("--set", setting))
                metrics = _songform(home, "train", *words)["metrics"]
                print(f"| {target} | {form} | {' | '.join(_cells(metrics))} |", flush=True)


def _cells(metrics: dict[str, float]) -> Sequence[str]:
    return [f"{metrics[f'{name}_macro_f1']:.3f}" for name in MODELS.values()]


def _songform(home: str, *words: str) -> dict[str, Any]:
    """Run a command of songform, and return the document that it prints."""
    command = [sys.executable, "-m", "flows.cli", "--home", home, "--json", *words]
    done = subprocess.run(command, stdout=subprocess.PIPE, check=False)
    document: dict[str, Any] = json.loads(done.stdout)
    if done.returncode not in (0, 3):
        raise SystemExit(f"songform {words[0]} failed: {document}")
    return document

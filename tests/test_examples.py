"""Tests that the examples in docstrings run, and that public functions have one."""

from __future__ import annotations

import doctest
import inspect
from importlib import import_module
from pathlib import Path

import pytest

import songform

ROOT = Path(songform.__file__).parents[1]
MODULES = [
    ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")
    for path in sorted((ROOT / "songform").rglob("*.py"))
    if ">>> " in path.read_text(encoding="utf-8")
]


@pytest.mark.parametrize("module", MODULES)
def test_examples_run(module: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    result = doctest.testmod(import_module(module), optionflags=doctest.NORMALIZE_WHITESPACE)
    assert result.attempted
    assert not result.failed


def test_every_public_function_has_an_example() -> None:
    functions = [getattr(songform, name) for name in songform.__all__]
    without = [each.__name__ for each in functions if inspect.isfunction(each) and ">>> " not in (each.__doc__ or "")]
    assert without == []

"""Tests of the comparison with golden values, and that every module with a VERSION has some."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

import songform
import tasks

OUTPUT = {"curve": np.array([[0.5, 1.0], [np.nan, np.inf]]), "path": np.array([0, 1, 1]), "names": ["Calm"], "sum": 2.0}


def module(version=1, name="songform.structure.pooling"):
    return SimpleNamespace(VERSION=version, __name__=name)


def changed(**more):
    return {**OUTPUT, **more}


@pytest.fixture
def stored(new_golden):
    """Store an output of VERSION 1, and return the store in comparing mode."""
    new_golden.check("pooling", [module()], OUTPUT)
    return replace(new_golden, is_update=False)


CHANGES = {
    "a number": changed(curve=np.array([[0.5, 1.001], [np.nan, np.inf]])),
    "a number that is NaN": changed(curve=np.array([[0.5, 1.0], [0.0, np.inf]])),
    "a sign of infinity": changed(curve=np.array([[0.5, 1.0], [np.nan, -np.inf]])),
    "a shape": changed(curve=np.array([0.5, 1.0, np.nan, np.inf])),
    "an index": changed(path=np.array([0, 1, 2])),
    "a text": changed(names=["Calm "]),
    "a length": changed(names=["Calm", "Calm"]),
    "a single number": changed(sum=2.001),
    "a type": changed(sum="2.0"),
    "an additional part": changed(more=0),
}


def test_same_output_of_the_same_version_passes(stored):
    stored.check("pooling", [module()], OUTPUT)


def test_difference_in_the_last_bits_passes(stored):
    stored.check("pooling", [module()], changed(curve=OUTPUT["curve"] * (1 + 1e-7), sum=np.nextafter(2.0, 3.0)))


@pytest.mark.parametrize("output", CHANGES.values(), ids=CHANGES)
def test_changed_output_of_the_same_version_fails_and_names_the_fix(stored, output):
    with pytest.raises(
        pytest.fail.Exception, match=r"output of pooling changed.*increase VERSION in .*\.pooling\b"
    ) as failure:
        stored.check("pooling", [module()], output)
    assert str(stored.folder / "pooling.json") in str(failure.value)
    assert ".venv/bin/python -m pytest tests/golden --update-golden" in str(failure.value)


def test_update_rejects_a_changed_output_of_the_same_version(stored):
    before = (stored.folder / "pooling.json").read_bytes()
    with pytest.raises(pytest.fail.Exception, match=r"increase VERSION in songform\.structure\.pooling"):
        replace(stored, is_update=True).check("pooling", [module()], CHANGES["a number"])
    assert (stored.folder / "pooling.json").read_bytes() == before


@pytest.mark.parametrize("output", [OUTPUT, CHANGES["a number"]], ids=["same output", "other output"])
def test_increased_version_requires_an_update_and_allows_it(stored, output):
    with pytest.raises(pytest.fail.Exception, match=r"pooling\.json .* VERSION.*now .* 2\).* update .*--update-golden"):
        stored.check("pooling", [module(2)], output)
    replace(stored, is_update=True).check("pooling", [module(2)], output)
    stored.check("pooling", [module(2)], output)
    assert json.loads((stored.folder / "pooling.json").read_text())["versions"] == {"songform.structure.pooling": 2}


def test_increased_version_of_an_earlier_stage_allows_a_changed_output(new_golden):
    def modules(earlier):
        return [module(), module(earlier, "songform.structure.normalized_curves")]

    new_golden.check("context", modules(1), OUTPUT)
    new_golden.check("context", modules(2), CHANGES["a number"])
    with pytest.raises(
        pytest.fail.Exception, match=r"increase VERSION in .*pooling \(or .*songform\.structure\.normalized_curves "
    ):
        new_golden.check("context", modules(2), OUTPUT)


@pytest.mark.parametrize("output", [OUTPUT, CHANGES["a number"]], ids=["same output", "other output"])
@pytest.mark.parametrize("is_update", [False, True])
def test_decreased_version_fails_even_if_another_one_was_increased(new_golden, output, is_update):
    def modules(own, earlier):
        return [module(own), module(earlier, "songform.structure.normalized_curves")]

    new_golden.check("context", modules(1, 3), OUTPUT)
    before = (new_golden.folder / "context.json").read_bytes()
    golden = replace(new_golden, is_update=is_update)
    for own in (1, 2):
        with pytest.raises(pytest.fail.Exception, match=r"VERSION was decreased in .*normalized_curves \(3 to 2\)"):
            golden.check("context", modules(own, 2), output)
    assert (new_golden.folder / "context.json").read_bytes() == before


@pytest.mark.parametrize(
    "modules",
    [
        pytest.param([module(), module(5, "songform.structure.context")], id="additional"),
        pytest.param([module(5, "songform.structure.context")], id="another"),
        pytest.param([], id="none"),
    ],
)
def test_different_list_of_modules_does_not_allow_a_changed_output(new_golden, modules):
    new_golden.check("pooling", [module()], OUTPUT)
    with pytest.raises(pytest.fail.Exception, match=r"output of pooling changed.*increase VERSION in songform"):
        new_golden.check("pooling", modules, CHANGES["a number"])
    new_golden.check("pooling", modules, OUTPUT)


def test_output_without_a_version_can_be_updated(new_golden):
    new_golden.check("segment_table", [], OUTPUT)
    with pytest.raises(pytest.fail.Exception, match=r"different output of segment_table.*update"):
        replace(new_golden, is_update=False).check("segment_table", [], CHANGES["a number"])
    new_golden.check("segment_table", [], CHANGES["a number"])
    replace(new_golden, is_update=False).check("segment_table", [], CHANGES["a number"])


def test_stage_without_stored_values_fails(stored):
    with pytest.raises(pytest.fail.Exception, match="no values are stored"):
        stored.check("another", [module()], OUTPUT)


def test_every_module_with_a_version_has_golden_values():
    layers = [Path(layer.__file__).parent for layer in (songform, tasks)]
    paths = [
        (path.relative_to(layer.parent), path.read_text(encoding="utf-8"))
        for layer in layers
        for path in layer.rglob("*.py")
    ]
    with_version = [path for path, text in paths if re.search(r"^VERSION = ", text, re.MULTILINE)]
    names = {".".join(path.with_suffix("").parts).removesuffix(".__init__") for path in with_version}
    values = (Path(__file__).parent / "values").glob("*.json")
    guarded = [set(json.loads(path.read_text(encoding="utf-8"))["versions"]) for path in values]
    assert len(names) > 20
    assert any(name.startswith("tasks.") for name in names)
    assert names - set().union(*guarded) == set()

"""Every module of the benchmarks and of the training of the package's networks can be imported.

Importing all of them takes several seconds. A fast test therefore looks up the names that they import in the syntax
trees of this project's modules, and another one, of the system tests, imports them.
"""

from __future__ import annotations

import ast
import pkgutil
from functools import cache
from importlib import import_module
from pathlib import Path

import pytest

import benchmarks
import training

ROOT = Path(benchmarks.__file__).parents[1]
OWN = ("songform", "tasks", "flows", "benchmarks", "training")
NAMES = [
    found.name
    for package in (benchmarks, training)
    for found in pkgutil.walk_packages(package.__path__, f"{package.__name__}.")
    if not found.name.endswith("__main__")  # these measure when they are imported
]


def file_of(module):
    path = ROOT.joinpath(*module.split("."))
    return path / "__init__.py" if path.is_dir() else path.with_suffix(".py")


@cache
def tree_of(module):
    return ast.parse(file_of(module).read_text(encoding="utf-8"))


@cache
def names_in(module):
    """Return the names that a module defines, assigns or imports, and the strings of one that defines `__getattr__`."""
    nodes = list(ast.walk(tree_of(module)))
    found = {node.name for node in nodes if isinstance(node, ast.FunctionDef | ast.ClassDef)}
    found |= {node.id for node in nodes if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store)}
    found |= {
        (alias.asname or alias.name).partition(".")[0]
        for node in nodes
        if isinstance(node, ast.Import | ast.ImportFrom)
        for alias in node.names
    }
    if "__getattr__" in found:
        found |= {node.value for node in nodes if isinstance(node, ast.Constant) and isinstance(node.value, str)}
    return found


def missing_imports(tree):
    """Return the names that a module imports from modules of this project that do not contain them."""
    return [
        f"{node.module}.{alias.name}"
        for node in ast.walk(tree)
        if isinstance(node, ast.ImportFrom) and node.module.partition(".")[0] in OWN
        for alias in node.names
        if not file_of(node.module).is_file()
        or (alias.name not in names_in(node.module) and not file_of(f"{node.module}.{alias.name}").is_file())
    ]


@pytest.mark.parametrize("name", NAMES)
def test_imported_names_exist(name):
    assert missing_imports(tree_of(name)) == []


def test_missing_names_and_modules_are_found():
    code = "from songform import Gone, find_beats\nfrom tasks.gone import a\nfrom songform.beats import beat_grid, gone"
    assert missing_imports(ast.parse(code)) == ["songform.Gone", "tasks.gone.a", "songform.beats.gone"]


@pytest.mark.system
@pytest.mark.parametrize("name", NAMES)
def test_module_can_be_imported(name):
    assert import_module(name).__doc__

"""The three floors: songform computes, tasks persist, flows order; imports go down only."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

import flows
import songform
import tasks

FLOORS = {floor.__name__: Path(floor.__file__).parent for floor in (songform, tasks, flows)}
MODULES = sorted(path for folder in FLOORS.values() for path in folder.rglob("*.py"))
NAMES = [path.relative_to(FLOORS["songform"].parent).as_posix() for path in MODULES]

# What a floor never imports, not even within a function.
FORBIDDEN = {
    "songform": {"tasks", "flows", "prefect", "mlflow", "logging", "time", "datetime", "random", "yt_dlp", "typer"},
    "tasks": {"flows", "typer", "rich"},
    "flows": set(),
}
DEAR = {"tensorflow", "keras", "librosa"}  # seconds to import: only within the functions that need them


def of_floor(floor):
    return [
        pytest.param(path, id=name) for path, name in zip(MODULES, NAMES, strict=True) if FLOORS[floor] in path.parents
    ]


def parsed(path):
    return ast.parse(path.read_text(encoding="utf-8"), filename=str(path))


def imported(path, nodes):
    """Return the first part of each name that some nodes import.

    Where `import_module` is called, every string may be the name of a module.
    """
    nodes = list(nodes)
    roots = set()
    for node in nodes:
        if isinstance(node, ast.Import):
            roots |= {alias.name.partition(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.module, f"{path}: a relative import"
            assert not node.level, f"{path}: a relative import"
            roots.add(node.module.partition(".")[0])
    if "importlib" in roots:
        strings = [node.value for node in nodes if isinstance(node, ast.Constant) and isinstance(node.value, str)]
        roots |= {string.partition(".")[0] for string in strings}
    return roots


def outside_functions(node):
    """Walk through what runs when a module is imported."""
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda):
            continue
        if isinstance(child, ast.If) and "TYPE_CHECKING" in ast.unparse(child.test):
            continue
        yield child
        yield from outside_functions(child)


def is_public(node):
    named = isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef)
    return named and not node.name.startswith("_")


def test_all_floors_are_looked_at():
    assert {Path(name).parts[0] for name in NAMES} == {"songform", "tasks", "flows"}
    assert {
        "songform/errors.py",
        "songform/synth/songs.py",
        "tasks/ingest/track_records.py",
        "flows/cli/main.py",
    } <= set(NAMES)


@pytest.mark.parametrize("floor", FLOORS)
def test_imports_go_down_only(floor):
    climbs = {
        name: sorted(imported(path, ast.walk(parsed(path))) & FORBIDDEN[floor])
        for path, name in zip(MODULES, NAMES, strict=True)
        if FLOORS[floor] in path.parents
    }
    assert len(climbs) > 5
    assert {name: wrong for name, wrong in climbs.items() if wrong} == {}


@pytest.mark.parametrize("path", of_floor("songform"))
def test_importing_a_module_of_songform_imports_nothing_dear(path):
    assert imported(path, outside_functions(parsed(path))) & DEAR == set()


@pytest.mark.parametrize("path", of_floor("songform"))
def test_songform_reads_no_environment_and_prints_nothing(path):
    names = {ast.unparse(node) for node in ast.walk(parsed(path)) if isinstance(node, ast.Attribute | ast.Name)}
    assert names & {"os.environ", "os.getenv", "print"} == set()


@pytest.mark.parametrize("path", of_floor("songform"))
def test_everything_public_in_songform_has_a_docstring(path):
    module = parsed(path)
    assert ast.get_docstring(module)
    public = [node for node in module.body if is_public(node)]
    methods = [node for each in public if isinstance(each, ast.ClassDef) for node in each.body if is_public(node)]
    assert [node.name for node in [*public, *methods] if not ast.get_docstring(node)] == []


def test_no_module_is_a_drawer_for_odds_and_ends():
    assert {path.stem for path in MODULES} & {"utils", "util", "helpers", "helper", "base", "common", "misc"} == set()


@pytest.mark.parametrize(
    "way",
    [
        pytest.param("from flows import cli; cli.main()", id="as the installed script"),
        pytest.param("import runpy; runpy.run_module('flows.cli', run_name='__main__')", id="as python -m flows.cli"),
    ],
)
def test_help_waits_for_none_of_the_heavy_libraries(way):
    program = f"""
import sys
sys.argv = ["songform", "--help"]
try:
    {way}
except SystemExit as end:
    assert not end.code, end.code
print("\\nloaded:", *sorted({{name.partition(".")[0] for name in sys.modules}}))
"""
    run = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    shown, _, loaded = run.stdout.rpartition("\nloaded: ")
    assert "ingest" in shown
    assert "flows" in loaded.split()
    assert set(loaded.split()) & {"tensorflow", "keras", "librosa", "mlflow", "prefect", "sklearn", "yt_dlp"} == set()

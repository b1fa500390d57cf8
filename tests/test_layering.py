"""Tests of the three layers: imports from lower layers only, no circles, and the contents of `songform`."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import flows
import songform
import tasks

LAYERS = {layer.__name__: Path(layer.__file__).parent for layer in (songform, tasks, flows)}
ROOT = LAYERS["songform"].parent
MODULES = {path.relative_to(ROOT).as_posix(): path for folder in LAYERS.values() for path in folder.rglob("*.py")}
TREES = {name: ast.parse(path.read_text(encoding="utf-8"), filename=name) for name, path in MODULES.items()}

# Modules that a layer must not import, not even within a function.
FORBIDDEN = {
    "songform": {"tasks", "flows", "prefect", "mlflow", "logging", "yt_dlp", "typer", "rich"},
    "tasks": {"flows", "typer", "rich"},
    "flows": set(),
}
# With these, a result could depend on the machine, the time, the settings, or random numbers without a seed.
SURROUNDING_MODULES = {
    *("time", "datetime", "random", "secrets", "uuid", "socket", "platform", "getpass", "locale", "pydantic"),
    *("os.environ", "os.environb", "os.getenv", "os.uname", "os.getpid", "os.getcwd", "os.cpu_count"),
}
SURROUNDING_NAMES = {
    *("os.environ", "os.environb", "os.getenv", "os.uname", "os.getpid", "os.getcwd", "os.cpu_count"),
    *("os.path.expanduser", "Path.home", "Path.cwd", "pathlib.Path.home", "pathlib.Path.cwd", "print"),
}
SURROUNDING_CALLS = {"np.random.default_rng()", "np.random.seed", "np.datetime64('now')", "np.datetime64('today')"}
SLOW_TO_IMPORT = {"tensorflow", "keras", "librosa", "jams"}  # only imported within the functions that need them
MAX_IN_FOLDER = 16


def of_layer(layer: str) -> list[str]:
    return [name for name in MODULES if name.startswith(f"{layer}/")]


def imported_modules(name: str, nodes: Iterator[ast.AST] | None = None) -> set[str]:
    """Return the dotted names that some nodes of a module import.

    If the module uses `importlib.import_module`, its strings are returned as well.
    """
    found, strings = set(), set()
    for node in nodes or ast.walk(TREES[name]):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.module, f"{name} has a relative import"
            assert not node.level, f"{name} has a relative import"
            found |= {node.module} | {f"{node.module}.{alias.name}" for alias in node.names}
        elif isinstance(node, ast.Constant) and isinstance(node.value, str):
            strings.add(node.value)
    return found | (strings if "importlib.import_module" in found else set())


def roots(modules: set[str]) -> set[str]:
    return {module.partition(".")[0] for module in modules}


def when_imported(node: ast.AST) -> Iterator[ast.AST]:
    """Yield the nodes that are executed when a module is imported."""
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda):
            continue
        if isinstance(child, ast.If) and "TYPE_CHECKING" in ast.unparse(child.test):
            continue
        yield child
        yield from when_imported(child)


def offenders(names: list[str], wrong: dict[str, set[str]]) -> dict[str, list[str]]:
    assert len(names) > 5, "the modules of the layer were not found"
    return {name: sorted(wrong[name]) for name in names if wrong[name]}


def file_of(module: str) -> str | None:
    """Return the file of a module of songform; None for names within a module and for other packages."""
    path = module.replace(".", "/")
    return next((name for name in (f"{path}.py", f"{path}/__init__.py") if name in MODULES), None)


def import_graph() -> dict[str, set[str]]:
    """Return the modules that each module imports, also within functions.

    An import of a package counts only if its `__init__.py` contains code, and not in another `__init__.py`.
    """
    graph = {}
    for name in MODULES:
        files = {file_of(module) for module in imported_modules(name)}
        graph[name] = {file for file in files if file and file != name and not file.endswith("__init__.py")}
        if not name.endswith("__init__.py"):
            graph[name] |= {file for file in files if file and file.endswith("__init__.py") and TREES[file].body[1:]}
    return graph


def siblings(graph: dict[str, set[str]], folder: str) -> dict[str, set[str]]:
    """Return the imports between the direct children of a folder; the modules of a subfolder count as one."""

    def place(name: str) -> str:
        return name.removeprefix(folder).partition("/")[0]

    inside = [name for name in graph if name.startswith(folder)]
    between: dict[str, set[str]] = {place(name): set() for name in inside}
    for name in inside:
        between[place(name)] |= {place(each) for each in graph[name] if each.startswith(folder)} - {place(name)}
    return between


def in_circles(graph: dict[str, set[str]]) -> set[str]:
    """Return the modules on import circles, and those on paths between circles.

    Modules that import none of the remaining modules, or that none of them imports, are removed repeatedly.
    """
    left = set(graph)
    while True:
        importing = {name for name in left if graph[name] & left}
        kept = importing & set().union(*(graph[name] for name in left))
        if kept == left:
            return left
        left = kept


def is_public(node: ast.stmt) -> bool:
    named = isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef)
    return named and not node.name.startswith("_")


def undocumented(tree: ast.Module) -> set[str]:
    public = [node for node in tree.body if is_public(node)]
    methods = [node for each in public if isinstance(each, ast.ClassDef) for node in each.body if is_public(node)]
    missing = {node.name for node in [*public, *methods] if not ast.get_docstring(node)}
    return missing | (set() if ast.get_docstring(tree) else {"the module"})


@pytest.mark.parametrize("layer", LAYERS)
def test_layer_imports_only_lower_layers(layer):
    names = of_layer(layer)
    assert offenders(names, {name: roots(imported_modules(name)) & FORBIDDEN[layer] for name in names}) == {}


def test_modules_have_no_import_circles():
    graph = import_graph()
    assert sum(map(len, graph.values())) > 500
    assert in_circles(graph) == set()


def test_folders_have_no_import_circles():
    graph = import_graph()
    folders = {f"{Path(name).parent.as_posix()}/" for name in MODULES}
    assert len(folders) > 20
    wrong = {folder: in_circles(siblings(graph, folder)) for folder in folders}
    assert {folder: names for folder, names in wrong.items() if names} == {}


def test_import_circles_are_found():
    assert in_circles({"a": {"b"}, "b": {"c"}, "c": {"b", "d"}, "d": set()}) == {"b", "c"}
    assert in_circles({"a": {"b", "c"}, "b": {"c"}, "c": set()}) == set()


def surroundings(tree: ast.Module, modules: set[str]) -> set[str]:
    """Return the names through which a module depends on machine, time or settings, and unseeded random generators."""
    names = {ast.unparse(node) for node in ast.walk(tree) if isinstance(node, ast.Attribute | ast.Name)}
    calls = {ast.unparse(node) for node in ast.walk(tree) if isinstance(node, ast.Call)}
    unseeded = {call for call in calls if call.startswith(tuple(SURROUNDING_CALLS))}
    return (names & SURROUNDING_NAMES) | ((modules | roots(modules)) & SURROUNDING_MODULES) | unseeded


def test_modules_of_songform_do_not_depend_on_machine_time_or_settings():
    names = of_layer("songform")
    wrong = {name: surroundings(TREES[name], imported_modules(name)) for name in names}
    assert offenders(names, wrong) == {}


@pytest.mark.parametrize(
    "line",
    [
        *("from os import environ", "from os import getenv, uname", "import os; os.environ['HOME']", "import time"),
        *("from datetime import datetime", "Path.home()", "pathlib.Path.cwd()", "os.path.expanduser('~')"),
        *("np.random.default_rng()", "np.random.seed(0)", "np.datetime64('now')", "import socket", "print('x')"),
    ],
)
def test_dependences_on_machine_or_time_are_found(line, monkeypatch):
    monkeypatch.setitem(TREES, "songform/x.py", ast.parse(line))
    assert surroundings(TREES["songform/x.py"], imported_modules("songform/x.py"))


def test_importing_a_module_of_songform_imports_no_slow_library():
    names = of_layer("songform")
    wrong = {name: roots(imported_modules(name, when_imported(TREES[name]))) & SLOW_TO_IMPORT for name in names}
    assert offenders(names, wrong) == {}


def test_everything_public_in_songform_has_a_docstring():
    names = of_layer("songform")
    assert offenders(names, {name: undocumented(TREES[name]) for name in names}) == {}


def test_folders_have_at_most_16_modules_and_subfolders():
    folders = {path.parent for path in MODULES.values()}
    inside = {
        folder: [
            path for path in folder.iterdir() if path in folders or (path.suffix == ".py" and path.stem != "__init__")
        ]
        for folder in folders
    }
    assert len(inside) > 20
    crowded = {folder.relative_to(ROOT).as_posix(): len(held) for folder, held in inside.items()}
    assert {folder: count for folder, count in crowded.items() if count > MAX_IN_FOLDER} == {}


def test_no_module_or_folder_has_an_unspecific_name():
    unspecific = {"utils", "util", "helpers", "helper", "base", "common", "misc", "tools"}
    assert {name for name in MODULES if Path(name).stem in unspecific or Path(name).parent.name in unspecific} == set()


@pytest.mark.parametrize(
    "way",
    [
        pytest.param("from flows.cli.main import main; main()", id="as the installed script"),
        pytest.param("import runpy; runpy.run_module('flows.cli', run_name='__main__')", id="as python -m flows.cli"),
    ],
)
def test_help_imports_no_slow_library(way):
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

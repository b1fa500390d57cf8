"""List of every sentence that songform may show.

Print it with ``python -m benchmarks.messages [PART]``. Errors, notes, help, descriptions of settings, table headers,
titles of pictures and texts of pages are printed one per line after their file and line number, so that they can be
read as one list. Values that are inserted at run time are shown as ``{name}``. With PART, only files whose path
contains it are listed, for example ``flows/cli``.
"""

from __future__ import annotations

import ast
import re
import sys
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path

ROOT = Path(__file__).parents[1]
LAYERS = ("songform", "tasks", "flows")
_WORDS = re.compile(r"[A-Za-z]{2,}.* .*[A-Za-z]{2,}", re.DOTALL)
_TEMPLATE_STATEMENT = re.compile(r"\{%.*?%\}")
_SCRIPT_TEXT = re.compile(r"`([^`]*)`|\"([^\"\n]*)\"")


def python_sentences(path: Path) -> Iterator[tuple[int, str]]:
    """Yield (line, text) of each string of a module that is not a docstring and has at least two words."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    passed = set(_docstrings(tree))
    for node in ast.walk(tree):
        if isinstance(node, ast.JoinedStr):
            passed |= {id(part) for part in ast.walk(node) if part is not node}
        if isinstance(node, ast.JoinedStr | ast.Constant) and id(node) not in passed:
            text = _text(node)
            if _WORDS.search(text):
                yield node.lineno, " ".join(text.split())


def command_help(path: Path) -> Iterator[tuple[int, str]]:
    """Yield the docstrings of commands, which typer shows as help."""
    for node in ast.parse(path.read_text(encoding="utf-8")).body:
        if isinstance(node, ast.FunctionDef) and any("command" in ast.unparse(each) for each in node.decorator_list):
            yield node.lineno, " ".join((ast.get_docstring(node) or "").split())


def page_sentences(path: Path) -> Iterator[tuple[int, str]]:
    """Yield the texts of a page, including its titles, labels and alternative texts."""
    reader = _Reader()
    reader.feed(_TEMPLATE_STATEMENT.sub("", path.read_text(encoding="utf-8")))
    yield from reader.found


def script_sentences(path: Path) -> Iterator[tuple[int, str]]:
    """Yield the quoted texts of a script that have at least two words."""
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), start=1):
        for match in _SCRIPT_TEXT.finditer(line.partition(" // ")[0]):
            text = match.group(1) or match.group(2) or ""
            if _WORDS.search(text):
                yield number, text


def sentences() -> Iterator[tuple[str, int, str]]:
    """Yield (file, line, text) of every sentence, sorted by file."""
    readers = {".py": python_sentences, ".html": page_sentences, ".js": script_sentences}
    for layer in LAYERS:
        for path in sorted((ROOT / layer).rglob("*")):
            if path.suffix in readers:
                found = [*readers[path.suffix](path), *(command_help(path) if path.suffix == ".py" else ())]
                yield from ((path.relative_to(ROOT).as_posix(), line, text) for line, text in sorted(found))


def _docstrings(tree: ast.Module) -> Iterator[int]:
    for node in ast.walk(tree):
        body = getattr(node, "body", None)
        for each in body if isinstance(body, list) else ():
            if isinstance(each, ast.Expr) and isinstance(each.value, ast.Constant):
                yield id(each.value)


def _text(node: ast.JoinedStr | ast.Constant) -> str:
    if isinstance(node, ast.Constant):
        return node.value if isinstance(node.value, str) else ""
    return "".join(
        str(part.value) if isinstance(part, ast.Constant) else f"{{{ast.unparse(part.value)}}}"
        for part in node.values
        if isinstance(part, ast.Constant | ast.FormattedValue)
    )


class _Reader(HTMLParser):
    """Parser that collects the texts, titles and labels of a page."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[tuple[int, str]] = []
        self._inside = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self._inside = tag
        self._add(*(value or "" for name, value in attrs if name in ("title", "aria-label", "placeholder", "alt")))

    def handle_data(self, data: str) -> None:
        if self._inside not in ("script", "style"):
            self._add(data)

    def _add(self, *texts: str) -> None:
        self.found += [(self.getpos()[0], " ".join(text.split())) for text in texts if _WORDS.search(text)]


def main() -> None:
    """Print all sentences, or those of the files that match PART."""
    part = sys.argv[1] if len(sys.argv) > 1 else ""
    for place, line, text in sentences():
        if part in place:
            print(f"{place}:{line}: {text}")


if __name__ == "__main__":
    main()

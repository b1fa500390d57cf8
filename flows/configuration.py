"""Where settings come from: defaults, `songform.toml`, the environment, `--set`; the later wins.

========================  =============================  ==========================================
source                    form                           example
========================  =============================  ==========================================
`<home>/songform.toml`    a TOML table a section         ``[sequences]`` and ``seconds = 16``
the environment           SONGFORM_<SECTION>__<NAME>     ``SONGFORM_SEQUENCES__SECONDS=16``
the command line          --set section.name=value       ``--set sequences.seconds=16``
========================  =============================  ==========================================

A value in the environment or after `--set` is read as TOML; what is no TOML is a plain string.
"""

from __future__ import annotations

import difflib
import tomllib
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from songform.errors import SettingsError
from songform.settings import Settings

__all__ = ["PREFIX", "load_settings"]

PREFIX = "SONGFORM_"

Values = dict[str, dict[str, Any]]


def load_settings(home: Path, environment: Mapping[str, str], assignments: Iterable[str] = ()) -> Settings:
    """Read all settings that hold for one call of the command line.

    Parameters
    ----------
    home : Path
        The folder in which `songform.toml` may lie.
    environment : mapping of str to str
        Usually `os.environ`.
    assignments : iterable of str
        What stood after each `--set`.

    Raises
    ------
    SettingsError
        If a name is unknown or a value impossible; the message names the source.
    """
    values: Values = {}
    origins: dict[str, str] = {}
    for origin, section, name, value in _all_values(home, environment, assignments):
        values.setdefault(section, {})[name] = value
        origins[f"{section}.{name}"] = origin
    try:
        return Settings.model_validate(values)
    except ValidationError as error:
        raise SettingsError(_sentence(error, origins)) from error


def _all_values(
    home: Path, environment: Mapping[str, str], assignments: Iterable[str]
) -> Iterable[tuple[str, str, str, Any]]:
    """Yield (origin, section, name, value), the earlier the weaker."""
    path = home / "songform.toml"
    for section, table in _toml(path).items():
        if not isinstance(table, dict):
            msg = (
                f"{path}: {section} = {table!r} stands outside a section; write it under a heading such as [sequences]"
            )
            raise SettingsError(msg)
        yield from ((str(path), section, name, value) for name, value in table.items())
    for variable, text in sorted(environment.items()):
        if variable.startswith(PREFIX) and "__" in variable:
            section, _, name = variable.removeprefix(PREFIX).lower().partition("__")
            yield variable, section, name, _value(text)
    for assignment in assignments:
        name, equals, text = assignment.partition("=")
        section, dot, key = name.strip().partition(".")
        if not (equals and dot and section and key):
            msg = f"--set {assignment} is not of the form section.name=value; write for example --set model.epochs=20"
            raise SettingsError(msg)
        yield f"--set {assignment}", section, key, _value(text)


def _toml(path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except (FileNotFoundError, NotADirectoryError):  # that a file stands where the home should be is said later
        return {}
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise SettingsError(f"{path} cannot be read as TOML: {error}; mend it there") from error


def _value(text: str) -> Any:
    try:
        return tomllib.loads(f"value = {text.strip()}")["value"]
    except tomllib.TOMLDecodeError:
        return text.strip()


def _sentence(error: ValidationError, origins: Mapping[str, str]) -> str:
    """Say the first thing that is wrong: where, what, and what would be right."""
    first = error.errors()[0]
    name = ".".join(str(part) for part in first["loc"][:2])
    of_section = dict.fromkeys(origin for full, origin in origins.items() if full.startswith(f"{name}."))
    origin = origins.get(name) or ", ".join(of_section)
    if first["type"] == "extra_forbidden":
        known = [*Settings().flat(), *Settings.model_fields]
        close = difflib.get_close_matches(name, known, n=1, cutoff=0.5)
        hint = f"did you mean {close[0]}?" if close else f"the sections are {', '.join(Settings.model_fields)}."
        return f"{origin}: there is no setting {name}; {hint}"
    if first["type"] == "value_error":  # settings that are right one by one, and wrong together
        return f"{origin}: {name}: {first['ctx']['error']}."
    return f"{origin}: {name} cannot be {first['input']!r}: {first['msg'][:1].lower()}{first['msg'][1:]}."

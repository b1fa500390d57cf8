"""Settings from defaults, `songform.toml`, the environment and `--set`, in increasing order of precedence.

========================  =============================  ==========================================
source                    form                           example
========================  =============================  ==========================================
`<home>/songform.toml`    one TOML table per section     ``[sequences]`` and ``seconds = 16``
the environment           SONGFORM_<SECTION>__<NAME>     ``SONGFORM_SEQUENCES__SECONDS=16``
the command line          --set section.name=value       ``--set sequences.seconds=16``
========================  =============================  ==========================================

Values in the environment and after `--set` are parsed as TOML. A value that is not valid TOML is taken as a string.

Playlists can only be set in `songform.toml`, each under its own heading::

    [[playlists]]
    url = "https://example.org/feed.xml"
    every = "0 6 * * *"
    timezone = "Europe/Berlin"
    limit = 100
"""

from __future__ import annotations

import difflib
import tomllib
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ValidationError

from flows.config.cron import cron_problem, timezone_problem
from songform.errors import SettingsError
from tasks.settings import Playlist, Settings

__all__ = ["PREFIX", "load_settings"]

PREFIX = "SONGFORM_"
PLAYLISTS = "playlists"

_FindProblem = Callable[[str], str | None]


def load_settings(home: Path, environment: Mapping[str, str], assignments: Iterable[str] = ()) -> Settings:
    """Return all settings of a command.

    Parameters
    ----------
    home : Path
        Folder that may contain `songform.toml`.
    environment : mapping of str to str
        Environment variables, usually `os.environ`.
    assignments : iterable of str
        Values of the option `--set`.

    Raises
    ------
    SettingsError
        If a name is unknown or a value is invalid. The message names the source of the setting.
    """
    path = home / "songform.toml"
    document = _toml(path)
    values: dict[str, Any] = {PLAYLISTS: _entries(path, document.pop(PLAYLISTS, []))}
    origins = {PLAYLISTS: str(path)}
    for origin, section, name, value in _all_values(path, document, environment, assignments):
        if section == PLAYLISTS:
            raise SettingsError(
                f"{origin}: playlists can only be set in {path}; put each under its own heading [[playlists]]"
            )
        values.setdefault(section, {})[name] = value
        origins[f"{section}.{name}"] = origin
    try:
        settings = Settings.model_validate(values)
    except ValidationError as error:
        raise SettingsError(_error_message(error, origins)) from error
    _check_playlists(settings, origins)
    _check_schedules(settings, origins)
    _check_webhook(settings, origins)
    return settings


def _entries(path: Path, entries: Any) -> list[dict[str, Any]]:
    if isinstance(entries, list) and all(isinstance(entry, dict) for entry in entries):
        return entries
    msg = f'{path}: playlists must be a list; put each playlist under its own heading [[playlists]], with url = "..."'
    raise SettingsError(msg)


def _all_values(
    path: Path, document: Mapping[str, Any], environment: Mapping[str, str], assignments: Iterable[str]
) -> Iterable[tuple[str, str, str, Any]]:
    """Yield (origin, section, name, value); later values override earlier ones."""
    for section, table in document.items():
        if isinstance(table, list) and difflib.get_close_matches(section.lower(), [PLAYLISTS]):
            raise SettingsError(f"{path}: there is no [[{section}]]; did you mean [[{PLAYLISTS}]]?")
        if not isinstance(table, dict):
            msg = f"{path}: {section} = {table!r} is outside a section; put it under a heading such as [sequences]"
            raise SettingsError(msg)
        yield from ((str(path), section, name, value) for name, value in table.items())
    yield from _environment_values(environment)
    for assignment in assignments:
        name, equals, text = assignment.partition("=")
        section, dot, key = name.strip().partition(".")
        if not (equals and dot and section and key) and section != PLAYLISTS:
            msg = f"--set {assignment} must have the form section.name=value, for example --set model.epochs=20"
            raise SettingsError(msg)
        yield f"--set {assignment}", section, key, _value(text)


def _environment_values(environment: Mapping[str, str]) -> Iterator[tuple[str, str, str, Any]]:
    """Yield (variable, section, name, value) of the environment variables that are settings."""
    with_one_underscore = {name.replace(".", "_"): name.replace(".", "__") for name in _known() if "." in name}
    for variable, text in sorted(environment.items()):
        if not variable.startswith(PREFIX):
            continue
        setting = variable.removeprefix(PREFIX).lower()
        section, separator, name = setting.partition("__")
        if separator or section == PLAYLISTS:
            yield variable, section, name, _value(text)
        elif setting in with_one_underscore:
            right = PREFIX + with_one_underscore[setting].upper()
            raise SettingsError(f"{variable}: two underscores must separate section and name; use {right}")


def _toml(path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except (FileNotFoundError, NotADirectoryError):  # a home that is a file is reported later
        return {}
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise SettingsError(f"{path} cannot be read as TOML: {error}; fix the file") from error


def _value(text: str) -> Any:
    try:
        return tomllib.loads(f"value = {text.strip()}")["value"]
    except tomllib.TOMLDecodeError:
        return text.strip()


def _error_message(error: ValidationError, origins: Mapping[str, str]) -> str:
    """Return one sentence about the first error: its source, what is wrong, and how to fix it."""
    # Unknown names come first, because a misspelled name can be the reason why another one is missing.
    first = min(error.errors(), key=lambda each: each["type"] != "extra_forbidden")
    where = first["loc"]
    if not where:  # sections that contradict each other
        culprits = [origin for name, origin in origins.items() if name != PLAYLISTS]
        return f"{', '.join(dict.fromkeys(culprits))}: {first['ctx']['error']}."
    if where[0] == PLAYLISTS:
        name, known = str(where[2]), [*Playlist.model_fields]
        origin, kind = (
            f"{origins[PLAYLISTS]}: {_entry(int(where[1]))}",
            f"the settings of a playlist are {', '.join(known)}.",
        )
    else:
        name, known = ".".join(str(part) for part in where[:2]), _known()
        of_section = dict.fromkeys(origin for full, origin in origins.items() if full.startswith(f"{name}."))
        origin = origins.get(name) or ", ".join(of_section)
        kind = f"the sections are {', '.join(Settings.model_fields)}."
    if first["type"] == "extra_forbidden":
        close = difflib.get_close_matches(name, known, n=1, cutoff=0.5)
        return f"{origin}: there is no setting {name}; {f'did you mean {close[0]}?' if close else kind}"
    if first["type"] == "missing":
        return f"{origin}: {name} is missing; {kind}"
    if first["type"] == "value_error":  # settings of a section that contradict each other
        return f"{origin}: {name}: {first['ctx']['error']}."
    wish = first["msg"].replace("a valid tuple", 'a list such as ["program", "argument"]')
    return f"{origin}: {name} cannot be {first['input']!r}: {wish[:1].lower()}{wish[1:]}."


def _known() -> list[str]:
    """Return the names of all settings and of all sections."""
    sections = Settings.model_fields.items()
    names = [f"{section}.{name}" for section, field in sections for name in _fields(field.annotation)]
    return [*names, *Settings.model_fields]


def _fields(section: Any) -> list[str]:
    is_model = isinstance(section, type) and issubclass(section, BaseModel)
    return [*section.model_fields] if is_model else []


def _check_playlists(settings: Settings, origins: Mapping[str, str]) -> None:
    urls = [playlist.url for playlist in settings.playlists]
    for index, url in enumerate(urls):
        if (first := urls.index(url)) < index:
            origin = f"{origins[PLAYLISTS]}: {_entry(index)}"
            raise SettingsError(f"{origin}: url {url!r} is already listed in entry {first + 1}; remove one of the two.")


def _check_schedules(settings: Settings, origins: Mapping[str, str]) -> None:
    for origin, name, value, find_problem in _schedule_values(settings, origins):
        if problem := find_problem(value):
            raise SettingsError(f"{origin}: {name} cannot be {value!r}: {problem}")


def _schedule_values(settings: Settings, origins: Mapping[str, str]) -> Iterator[tuple[str, str, str, _FindProblem]]:
    """Yield (origin, name, value, check) of each time and time zone; `check` returns what is wrong with the value.

    Defaults are valid and are skipped.
    """
    schedule = settings.schedule
    for name, value in (("schedule.retry", schedule.retry), ("schedule.train", schedule.train)):
        if name in origins and value:  # an empty expression means never
            yield origins[name], name, value, cron_problem
    if "schedule.timezone" in origins:
        yield origins["schedule.timezone"], "schedule.timezone", schedule.timezone, timezone_problem
    for index, playlist in enumerate(settings.playlists):
        origin = f"{origins[PLAYLISTS]}: {_entry(index)}"
        yield origin, "every", playlist.every, cron_problem
        if playlist.timezone is not None:
            yield origin, "timezone", playlist.timezone, timezone_problem


def _check_webhook(settings: Settings, origins: Mapping[str, str]) -> None:
    """Check the address of the webhook now, because alarms are sent unattended. The address is secret and not shown."""
    webhook = settings.notify.webhook
    if webhook is not None and not webhook.lower().startswith(("http://", "https://")):
        raise SettingsError(f"{origins['notify.webhook']}: notify.webhook must begin with http:// or https://.")


def _entry(index: int) -> str:
    return f"playlists, entry {index + 1}"

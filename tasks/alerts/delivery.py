"""Delivery: how an event reaches a person who is not there.

A command gets the event as JSON on its standard input, and its sentence in the environment variable SONGFORM_MESSAGE;
no shell takes part. A webhook gets the same JSON by POST. Either has a bounded time, and a failure is one sentence in
which the webhook's address does not occur: whoever knows it can write to it.
"""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Callable
from dataclasses import asdict, dataclass
from tempfile import TemporaryFile
from urllib.parse import urlsplit

import requests

from songform.plain_text import plain_text
from tasks.settings import NotifySettings

__all__ = ["DeliveryError", "Event", "channels", "post_webhook", "run_command"]

COMMAND_SECONDS = 60.0
WEBHOOK_SECONDS = 20.0


@dataclass(frozen=True)
class Event:
    """What somebody is told.

    Parameters
    ----------
    event : str
        What kind of thing happened, such as `disk-nearly-full`.
    subject : str
        To what: a playlist's address, a host, a folder.
    message : str
        A sentence: what is wrong, and how to mend it.
    since : str
        When it was noticed first: UTC, ISO 8601.
    home : str
        Whose event it is: the home's folder.
    """

    event: str
    subject: str
    message: str
    since: str
    home: str


class DeliveryError(Exception):
    """An event did not reach its receiver; the text says why."""


def channels(notify: NotifySettings) -> dict[str, Callable[[Event], None]]:
    """Return the channels through which events are sent by these settings, by name; each raises `DeliveryError`."""
    found: dict[str, Callable[[Event], None]] = {}
    if command := notify.command:
        found["command"] = lambda event: run_command(command, event)
    if webhook := notify.webhook:
        found["webhook"] = lambda event: post_webhook(webhook, event)
    return found


def run_command(command: tuple[str, ...], event: Event, *, seconds: float = COMMAND_SECONDS) -> None:
    """Give an event to a program.

    Parameters
    ----------
    command : tuple of str
        Program and arguments.
    event : Event
        The event.
    seconds : float
        The time that it may take.

    Raises
    ------
    DeliveryError
        If it cannot be started, takes too long, or ends with another code than 0.
    """
    name = f"notify.command ({plain_text(command[0])})"
    try:
        code, said = _run(command, event, seconds)
    except subprocess.TimeoutExpired as error:
        raise DeliveryError(f"{name} took longer than {seconds:g} s and was stopped") from error
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        raise DeliveryError(f"{name} cannot be started ({reason}); check its path in songform.toml") from error
    if code:
        raise DeliveryError(f"{name} ended with code {code}: {plain_text(said) or 'it said nothing'}")


def post_webhook(url: str, event: Event, *, seconds: float = WEBHOOK_SECONDS) -> None:
    """Post an event to an http or https address.

    Parameters
    ----------
    url : str
        The address. It has to answer itself: no redirect is followed.
    event : Event
        The event.
    seconds : float
        The time that it may be silent.

    Raises
    ------
    DeliveryError
        If the address is none, cannot be reached, or answers with anything but success.
    """
    host = _host(url)
    try:
        with requests.post(
            url,
            data=_document(event),
            headers={"Content-Type": "application/json", "User-Agent": "songform"},
            timeout=seconds,
            allow_redirects=False,
            stream=True,  # only the status is of interest, and a body may be endless
        ) as response:
            status = response.status_code
    except (requests.RequestException, ValueError) as error:
        # Not its text, in which the address stands.
        reason = f"{type(error).__name__}; is it there, and is the address right?"
        raise DeliveryError(f"notify.webhook at {host} cannot be reached ({reason})") from None
    if 300 <= status < 400:
        raise DeliveryError(f"notify.webhook at {host} leads elsewhere ({status}); set it to where it leads")
    if not 200 <= status < 300:
        raise DeliveryError(f"notify.webhook at {host} answered {status}")


def _run(command: tuple[str, ...], event: Event, seconds: float) -> tuple[int, str]:
    """Return a program's exit code, and the last line that it said."""
    with TemporaryFile() as said:  # no pipe: a process that the program leaves behind would keep it open
        code = subprocess.run(  # noqa: S603  the user's own program, and no shell
            command,
            input=_document(event),
            stdout=said,
            stderr=said,
            env={**os.environ, "SONGFORM_MESSAGE": event.message},
            timeout=seconds,
            check=False,
        ).returncode
        said.seek(0)
        lines = said.read(100_000).decode("utf-8", "replace").strip().splitlines()
    return code, lines[-1] if lines else ""


def _document(event: Event) -> bytes:
    return json.dumps(asdict(event), ensure_ascii=False).encode()


def _host(url: str) -> str:
    try:
        address = urlsplit(url)
        host = address.hostname
    except ValueError:
        host = None
    if not host or address.scheme not in ("http", "https"):
        raise DeliveryError("notify.webhook is no http or https address; mend it in songform.toml")
    return plain_text(host)

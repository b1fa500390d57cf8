"""Delivery of events to a command or a webhook.

A command is run without a shell. It gets the event as JSON on its standard input, and the message in the environment
variable SONGFORM_MESSAGE. A webhook gets the same JSON by POST. Both have a time limit. Error messages do not contain
the address of the webhook, because anyone who has the address can post to it.
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
    """Notification that a condition holds.

    Parameters
    ----------
    event : str
        Name of the condition, such as `disk-nearly-full`.
    subject : str
        What was checked: the address of a playlist, a host, or a folder.
    message : str
        What is wrong, and how to fix it.
    since : str
        Time when the condition was first noticed (UTC, ISO 8601).
    home : str
        Path of the home.
    """

    event: str
    subject: str
    message: str
    since: str
    home: str


class DeliveryError(Exception):
    """Failed delivery of an event; the message says why."""


def channels(notify: NotifySettings) -> dict[str, Callable[[Event], None]]:
    """Return a function that sends an event for each channel in the settings, by name; each raises `DeliveryError`."""
    found: dict[str, Callable[[Event], None]] = {}
    if command := notify.command:
        found["command"] = lambda event: run_command(command, event)
    if webhook := notify.webhook:
        found["webhook"] = lambda event: post_webhook(webhook, event)
    return found


def run_command(command: tuple[str, ...], event: Event, *, seconds: float = COMMAND_SECONDS) -> None:
    """Run a program that receives an event.

    Parameters
    ----------
    command : tuple of str
        Program and arguments.
    event : Event
        Event to send.
    seconds : float
        Time limit in seconds.

    Raises
    ------
    DeliveryError
        If the program cannot be started, exceeds the time limit, or exits with a code other than 0.
    """
    name = f"notify.command ({plain_text(command[0])})"
    try:
        code, output = _run(command, event, seconds)
    except subprocess.TimeoutExpired as error:
        raise DeliveryError(
            f"{name} took longer than {seconds:g} s and was stopped; check what it waits for"
        ) from error
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        raise DeliveryError(f"{name} cannot be started ({reason}); check its path in songform.toml") from error
    if code:
        raise DeliveryError(f"{name} exited with code {code}: {plain_text(output) or 'it printed no message'}")


def post_webhook(url: str, event: Event, *, seconds: float = WEBHOOK_SECONDS) -> None:
    """Post an event to an http or https address.

    Parameters
    ----------
    url : str
        Address of the webhook. Redirects are not followed.
    event : Event
        Event to send.
    seconds : float
        Time limit for the connection and for the response, in seconds.

    Raises
    ------
    DeliveryError
        If the address is invalid or cannot be reached, or its response does not have a 2xx status.
    """
    host = _host(url)
    try:
        with requests.post(
            url,
            data=_document(event),
            headers={"Content-Type": "application/json", "User-Agent": "songform"},
            timeout=seconds,
            allow_redirects=False,
            stream=True,  # only the status is needed, and the body may be endless
        ) as response:
            status = response.status_code
    except (requests.RequestException, ValueError) as error:
        # The type instead of the text of the error, because the text contains the address.
        reason = type(error).__name__
        raise DeliveryError(
            f"notify.webhook at {host} cannot be reached ({reason}); check the address, and that its server is running"
        ) from None
    if 300 <= status < 400:
        raise DeliveryError(f"notify.webhook at {host} redirects ({status}); set it to the address it redirects to")
    if not 200 <= status < 300:
        raise DeliveryError(f"notify.webhook at {host} answered with status {status}; check its server")


def _run(command: tuple[str, ...], event: Event, seconds: float) -> tuple[int, str]:
    """Return the exit code of a program, and the last line of its output."""
    with TemporaryFile() as output:  # not a pipe, which a child that outlives the program would keep open
        code = subprocess.run(  # noqa: S603  the user's own program, and no shell
            command,
            input=_document(event),
            stdout=output,
            stderr=output,
            env={**os.environ, "SONGFORM_MESSAGE": event.message},
            timeout=seconds,
            check=False,
        ).returncode
        output.seek(0)
        lines = output.read(100_000).decode("utf-8", "replace").strip().splitlines()
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
        raise DeliveryError("notify.webhook is not an http or https address; fix it in songform.toml")
    return plain_text(host)

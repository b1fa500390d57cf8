"""Health checks of the Prefect and MLflow servers."""

from __future__ import annotations

import subprocess
import time
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from songform.errors import SongformError

if TYPE_CHECKING:
    import requests

__all__ = ["http_session", "is_healthy", "wait_until_healthy"]

_START_SECONDS = 180.0  # the first start on a busy machine can take 40 s


def http_session(url: str) -> requests.Session:
    """Return a session for requests to a server; requests to loopback bypass proxies."""
    import requests

    session = requests.Session()
    session.trust_env = urlsplit(url).hostname not in ("127.0.0.1", "localhost", "::1")
    return session


def is_healthy(url: str, *, seconds: float = 5.0) -> bool:
    """Return whether a server answers a GET with a status below 400.

    Parameters
    ----------
    url : str
        Address of the health check.
    seconds : float > 0
        Timeout in seconds.
    """
    import requests

    try:
        with http_session(url) as session:
            return session.get(url, timeout=seconds).ok
    except (requests.RequestException, ValueError):  # ValueError: an invalid address
        return False


def wait_until_healthy(url: str, process: subprocess.Popen[bytes], *, log: Path) -> None:
    """Wait until a server answers.

    Parameters
    ----------
    url : str
        Address of the health check.
    process : Popen
        Process of the server.
    log : Path
        Log file of the process.

    Raises
    ------
    SongformError
        If the process exits, or the server does not answer within three minutes.
    """
    deadline = time.monotonic() + _START_SECONDS
    while time.monotonic() < deadline and process.poll() is None:
        if is_healthy(url):
            return
        time.sleep(0.05)
    ended = f"exited with code {process.returncode}" if process.poll() is not None else "did not answer in time"
    raise SongformError(
        f"the server at {url} {ended}; check {log} for the reason (another program may be using its files)"
    )

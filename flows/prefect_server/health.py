"""Whether a server answers: Prefect's, or MLflow's."""

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

_START_SECONDS = 180.0  # a first start under load was seen to take 40 s


def http_session(url: str) -> requests.Session:
    """Return a session for requests to a server; those to loopback never go through a proxy."""
    import requests

    session = requests.Session()
    session.trust_env = urlsplit(url).hostname not in ("127.0.0.1", "localhost", "::1")
    return session


def is_healthy(url: str, *, seconds: float = 5.0) -> bool:
    """Return whether a server answers a GET with a status below 400.

    Parameters
    ----------
    url : str
        The address of its health check.
    seconds : float > 0
        How long to wait for the answer.
    """
    import requests

    try:
        with http_session(url) as session:
            return session.get(url, timeout=seconds).ok
    except (requests.RequestException, ValueError):  # the latter: what cannot be an address
        return False


def wait_until_healthy(url: str, process: subprocess.Popen[bytes], *, log: Path) -> None:
    """Wait until a server answers.

    Parameters
    ----------
    url : str
        The address of its health check.
    process : Popen
        The server's process.
    log : Path
        Where the process writes its errors.

    Raises
    ------
    SongformError
        If the process ends first, or three minutes pass.
    """
    deadline = time.monotonic() + _START_SECONDS
    while time.monotonic() < deadline and process.poll() is None:
        if is_healthy(url):
            return
        time.sleep(0.05)
    ended = f"ended with code {process.returncode}" if process.poll() is not None else "did not answer in time"
    raise SongformError(f"the server behind {url} {ended}; {log} says why (is another program using its files?)")

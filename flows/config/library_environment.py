"""What songform wants of the libraries it starts, said before they are imported.

Prefect, MLflow, yt-dlp and TensorFlow read the environment when they are imported, so this module imports none of
them. What the user has set stays as it is; only loopback is added to the hosts that are asked without a proxy.
"""

from __future__ import annotations

import gc
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

__all__ = ["environment_variable", "imports_without_gc", "prepare_environment"]


def prepare_environment(home: Path) -> None:
    """Keep every library's files under the home, its telemetry off, and its chatter out of the user's sight.

    Parameters
    ----------
    home : Path
        An absolute path.
    """
    wanted = {
        # A Prefect of another version would migrate a database shared between projects out of our reach.
        "PREFECT_HOME": str(home / ".prefect"),
        "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
        # Prefect's UI has the logs; the terminal is songform's.
        "PREFECT_LOGGING_LEVEL": "INFO",
        "PREFECT_LOGGING_HANDLERS_CONSOLE_LEVEL": "CRITICAL",
        "DO_NOT_TRACK": "1",
        "MLFLOW_DISABLE_TELEMETRY": "true",
        "MLFLOW_LOGGING_LEVEL": "WARNING",
        # Else MLflow records an uv.lock and a pyproject.toml that happen to lie in the current folder.
        "MLFLOW_UV_AUTO_DETECT": "false",
        "MLFLOW_LOG_UV_FILES": "false",
        "TF_CPP_MIN_LOG_LEVEL": "3",
        "TF_ENABLE_ONEDNN_OPTS": "0",
    }
    for name, value in wanted.items():
        os.environ.setdefault(name, value)
    _bypass_proxies_on_loopback()


@contextmanager
def environment_variable(name: str, value: str) -> Iterator[None]:
    """Set a variable of the environment for the length of a `with` block; afterwards it is as it was before."""
    before = os.environ.get(name)
    os.environ[name] = value
    try:
        yield
    finally:
        if before is None:
            os.environ.pop(name, None)
        else:
            os.environ[name] = before


@contextmanager
def imports_without_gc() -> Iterator[None]:
    """Import big libraries a fifth faster: without the garbage collector.

    It would look through everything that is imported, again and again, and find nothing. What was imported in the
    block is left out of its later rounds as well.
    """
    gc.disable()
    try:
        yield
    finally:
        gc.freeze()
        gc.enable()


def _bypass_proxies_on_loopback() -> None:
    """Keep a proxy, where there is one, out of talks within this machine: Prefect's server would never be reached."""
    known = os.environ.get("no_proxy") or os.environ.get("NO_PROXY") or ""
    hosts = [host.strip() for host in known.split(",") if host.strip()]
    if "*" not in hosts:
        every = ",".join(dict.fromkeys([*hosts, "127.0.0.1", "localhost"]))
        os.environ["no_proxy"] = os.environ["NO_PROXY"] = every

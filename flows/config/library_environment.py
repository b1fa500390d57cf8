"""Environment variables of the libraries that songform uses.

Prefect, MLflow, yt-dlp and TensorFlow read the environment when they are imported, so this module does not import them.
Variables that the user has set are not changed, except that loopback is added to the hosts that bypass proxies.
"""

from __future__ import annotations

import gc
import os
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from importlib import import_module
from pathlib import Path

__all__ = [
    "environment_variable",
    "imported_meanwhile",
    "imports_without_gc",
    "prepare_environment",
    "signals_deferred",
]

_DEFERRED = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


def prepare_environment(home: Path) -> None:
    """Set environment variables so that libraries keep their files in the home, send no telemetry and log little.

    Parameters
    ----------
    home : Path
        Absolute path of the home.
    """
    wanted = {
        # If projects shared a database, another version of Prefect could migrate it to an incompatible schema.
        "PREFECT_HOME": str(home / ".prefect"),
        "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
        # Prefect's UI shows its logs; the terminal is used for songform's output.
        "PREFECT_LOGGING_LEVEL": "INFO",
        "PREFECT_LOGGING_HANDLERS_CONSOLE_LEVEL": "CRITICAL",
        "DO_NOT_TRACK": "1",
        "MLFLOW_DISABLE_TELEMETRY": "true",
        "MLFLOW_LOGGING_LEVEL": "WARNING",
        # Otherwise MLflow records any uv.lock and pyproject.toml of the current folder.
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
    """Set an environment variable within a `with` block, and restore it afterward."""
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
    """Disable garbage collection within a `with` block, which makes imports of large libraries a fifth faster.

    The collector would repeatedly traverse all imported objects and find no garbage. Later collections also skip the
    objects that were created in the block.
    """
    gc.disable()
    try:
        yield
    finally:
        gc.freeze()
        gc.enable()


@contextmanager
def imported_meanwhile(*modules: str) -> Iterator[None]:
    """Import modules in another thread while a `with` block waits for worker processes or a server.

    At the end of the block, all of them are imported. If an import fails, the error is raised where the program imports
    the module.
    """
    thread = threading.Thread(target=_import_all, args=(modules,), daemon=True)
    thread.start()
    try:
        yield
    finally:
        thread.join()


def _import_all(modules: tuple[str, ...]) -> None:
    with imports_without_gc(), suppress(Exception):
        for module in modules:
            import_module(module)


@contextmanager
def signals_deferred() -> Iterator[None]:
    """Let Ctrl-C, SIGTERM and SIGHUP wait until the end of a `with` block.

    Pydantic turns an interruption within its serializers, which Prefect runs when it is imported, into an error of its
    own. The command would then report a defect instead of the interruption.
    """
    if threading.current_thread() is not threading.main_thread():  # only the main thread handles signals
        yield
        return
    received: list[int] = []
    numbers = [number for number in _DEFERRED if signal.getsignal(number) is not signal.SIG_IGN]
    before = [(number, signal.signal(number, lambda number, _: received.append(number))) for number in numbers]
    try:
        yield
    finally:
        for number, handler in before:
            signal.signal(number, handler)
        for each in dict.fromkeys(received):
            signal.raise_signal(each)


def _bypass_proxies_on_loopback() -> None:
    """Bypass proxies for connections to this machine; otherwise a proxy would make the Prefect server unreachable."""
    known = os.environ.get("no_proxy") or os.environ.get("NO_PROXY") or ""
    hosts = [host.strip() for host in known.split(",") if host.strip()]
    if "*" not in hosts:
        every = ",".join(dict.fromkeys([*hosts, "127.0.0.1", "localhost"]))
        os.environ["no_proxy"] = os.environ["NO_PROXY"] = every

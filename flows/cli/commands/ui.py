"""The command `songform ui`: serve the pages of MLflow and Prefect for a home."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, NamedTuple

import typer

from flows.cli.console import DONE, NOTHING_DONE, Console
from flows.cli.context import CommandContext
from flows.cli.options import PrefectPort
from songform.errors import ParameterError

if TYPE_CHECKING:
    from flows.prefect_server.launch import PrefectServer
    from tasks.store.corpus import Corpus

__all__ = ["ServedPages", "print_end", "serve_pages", "ui"]

Port = Annotated[
    int,
    typer.Option("--port", metavar="PORT", min=0, max=65535, help="Port of the MLflow server; 0 for any free port."),
]


@dataclass
class ServedPages:
    """Addresses that were served, and how serving ended.

    Parameters
    ----------
    mlflow, prefect : str, optional
        Addresses of the pages; None for a server that never answered.
    error : str, optional
        Why serving ended, in one sentence; None if it was stopped with Ctrl-C.
    """

    mlflow: str | None = None
    prefect: str | None = None
    error: str | None = None


class MlflowServer(NamedTuple):
    """MLflow server: its address, its process, and its log file."""

    address: str
    process: subprocess.Popen[bytes]
    log: Path


def ui(context: CommandContext, *, port: Port = 5000, prefect_port: PrefectPort = 4200) -> int:
    """Serve the web pages of MLflow and Prefect for this home on 127.0.0.1, until Ctrl-C."""
    served = serve_pages(context.home, port=port, prefect_port=prefect_port, say=context.console.say)
    return print_end(context.console, served)


def print_end(console: Console, served: ServedPages) -> int:
    """Print how serving ended as text or as a JSON document, and return the exit code."""
    addresses = {"mlflow": served.mlflow, "prefect": served.prefect}
    if served.error is not None:
        return console.fail(served.error, NOTHING_DONE, **addresses)
    if console.json:
        console.document({**addresses, "ended": "stopped"})
    return DONE


def serve_pages(home: Path, *, port: int, prefect_port: int, say: Callable[[str], None]) -> ServedPages:
    """Serve the pages of MLflow and Prefect on 127.0.0.1 until Ctrl-C or until a server ends.

    Parameters
    ----------
    home : Path
        Home whose runs are shown.
    port, prefect_port : int
        Ports of MLflow and Prefect; 0 for any free port.
    say : callable
        Function that prints a line to the user.

    Raises
    ------
    ParameterError
        If both ports are the same.
    SongformError
        If a server does not start, most often because its port is in use.
    """
    served = ServedPages()
    try:
        _serve(served, home, port, prefect_port, say)
    except KeyboardInterrupt:
        say("Stopped.")
    return served


def _serve(served: ServedPages, home: Path, port: int, prefect_port: int, say: Callable[[str], None]) -> None:
    """Serve until a server ends, and record the addresses in `served`."""
    from flows.prefect_server.child_processes import stop_child
    from flows.prefect_server.connect import shared_server
    from flows.prefect_server.launch import available_port
    from tasks.store.corpus import Corpus

    corpus = Corpus(home)
    corpus.prepare()
    port = available_port(port, "--port")
    if port == prefect_port:
        raise ParameterError(f"--port and --prefect-port are both {port}; give two different ports")
    with shared_server(home, prefect_port) as prefect:
        mlflow = MlflowServer(f"http://127.0.0.1:{port}", _start_mlflow(corpus, port), corpus.mlruns / "server.log")
        try:
            say("Starting; this takes up to a minute.")
            _wait_until_up(served, mlflow, prefect, say)
            say(
                "Ctrl-C stops both servers."
                if prefect.process
                else "Ctrl-C stops the MLflow server. Another songform command runs the Prefect server."
            )
            served.error = _wait_until_down(mlflow, prefect)
        finally:
            stop_child(mlflow.process)


def _wait_until_up(
    served: ServedPages, mlflow: MlflowServer, prefect: PrefectServer, say: Callable[[str], None]
) -> None:
    """Wait until both servers answer, and print the address of each as soon as it answers."""
    from flows.prefect_server.health import wait_until_healthy

    wait_until_healthy(f"{mlflow.address}/health", mlflow.process, log=mlflow.log)
    served.mlflow = mlflow.address
    say(f"MLflow:  {mlflow.address}/#/experiments  (experiments, runs, models; choose Model training)")
    prefect.wait()
    served.prefect = prefect.pages
    say(f"Prefect: {prefect.pages}  (flow runs, tasks, logs)")


def _wait_until_down(mlflow: MlflowServer, prefect: PrefectServer) -> str:
    """Wait until one of the servers ends; return one sentence that names it."""
    while mlflow.process.poll() is None and prefect.is_up:
        time.sleep(0.5)
    name, log = ("Prefect", prefect.log) if mlflow.process.poll() is None else ("MLflow", mlflow.log)
    return f"the {name} server ended; check {log} for the reason, and start songform ui again"


def _start_mlflow(corpus: Corpus, port: int) -> subprocess.Popen[bytes]:
    """Start the MLflow server with one worker and without the job runners that it starts by default."""
    from flows.prefect_server.child_processes import supervised_child
    from tasks.train.tracking import store_uri

    command = [sys.executable, "-m", "mlflow", "server", "--backend-store-uri", store_uri(corpus.home)]
    command += ["--default-artifact-root", (corpus.mlruns / "artifacts").as_uri()]
    command += ["--host", "127.0.0.1", "--port", str(port), "--workers", "1"]
    environment = {**os.environ, "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false"}
    return supervised_child(command, log=corpus.mlruns / "server.log", environment=environment)

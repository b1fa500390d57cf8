"""UI: MLflow's pages and Prefect's, on this home's stores."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

from flows.server import free_port, is_taken, register_server, start_server, stop_server, wait_until_healthy
from songform.corpus import Corpus
from songform.errors import SongformError

__all__ = ["serve_pages"]


def serve_pages(home: Path, *, port: int, prefect_port: int, say: Callable[[str], None]) -> None:
    """Serve both until interrupted, on 127.0.0.1 alone.

    Raises
    ------
    SongformError
        If one of them does not start: most often because its port is taken.
    """
    corpus = Corpus(home)
    corpus.prepare()
    port, prefect_port = port or free_port(), prefect_port or free_port()
    for wanted, option in ((port, "--port"), (prefect_port, "--prefect-port")):
        if is_taken(wanted):  # else whoever answers there would be taken for this home's server
            raise SongformError(
                f"port {wanted} is taken by another program; choose another with {option}, or 0 for any"
            )
    # A polite end by another program, such as a service manager, ends both servers too.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    mlflow, prefect = _start_mlflow(corpus, port), start_server(home, prefect_port, ui=True)
    registered = register_server(home, f"http://127.0.0.1:{prefect_port}/api")
    try:
        say("Starting; this takes up to a minute.")
        wait_until_healthy(f"http://127.0.0.1:{port}/health", mlflow, log=corpus.mlruns / "server.log")
        say(f"MLflow:  http://127.0.0.1:{port}/#/experiments  (choose Model training; experiments, runs, models)")
        wait_until_healthy(f"http://127.0.0.1:{prefect_port}/api/health", prefect, log=home / ".prefect" / "server.log")
        say(f"Prefect: http://127.0.0.1:{prefect_port}  (flow runs, tasks, logs)")
        say("Ctrl-C stops both.")
        while mlflow.poll() is None and prefect.poll() is None:
            time.sleep(0.5)
    except KeyboardInterrupt:
        say("Stopped.")
    finally:
        registered.unlink(missing_ok=True)
        stop_server(prefect)
        mlflow.terminate()
        mlflow.wait(20)


def _start_mlflow(corpus: Corpus, port: int) -> subprocess.Popen[bytes]:
    """Start MLflow's server: one worker, none of the job runners that it starts by default."""
    from tasks.tracking import store_uri

    command = [sys.executable, "-m", "mlflow", "server", "--backend-store-uri", store_uri(corpus.home)]
    command += ["--default-artifact-root", (corpus.mlruns / "artifacts").as_uri()]
    command += ["--host", "127.0.0.1", "--port", str(port), "--workers", "1"]
    environment = {**os.environ, "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false"}
    with (corpus.mlruns / "server.log").open("ab") as log:
        return subprocess.Popen(  # noqa: S603  our own interpreter, no shell
            command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, env=environment
        )

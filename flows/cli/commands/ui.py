"""UI: MLflow's pages and Prefect's, on this home's stores."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

from flows.prefect_server.health import wait_until_healthy
from flows.prefect_server.launch import available_port
from flows.prefect_server.lifetime import stop_child, supervised_child
from flows.prefect_server.shared_server import shared_server
from tasks.store.corpus import Corpus

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
    port = available_port(port, "--port")
    with shared_server(home, prefect_port) as prefect:
        mlflow = _start_mlflow(corpus, port)
        try:
            say("Starting; this takes up to a minute.")
            wait_until_healthy(f"http://127.0.0.1:{port}/health", mlflow, log=corpus.mlruns / "server.log")
            say(f"MLflow:  http://127.0.0.1:{port}/#/experiments  (choose Model training; experiments, runs, models)")
            prefect.wait()
            say(f"Prefect: {prefect.pages}  (flow runs, tasks, logs)")
            say(
                "Ctrl-C stops both."
                if prefect.process
                else "Ctrl-C stops MLflow's; songform schedule serves Prefect's."
            )
            while mlflow.poll() is None and prefect.is_up:
                time.sleep(0.5)
        except KeyboardInterrupt:
            say("Stopped.")
        finally:
            stop_child(mlflow)


def _start_mlflow(corpus: Corpus, port: int) -> subprocess.Popen[bytes]:
    """Start MLflow's server with one worker and none of the job runners that it starts by default."""
    from tasks.train.tracking import store_uri

    command = [sys.executable, "-m", "mlflow", "server", "--backend-store-uri", store_uri(corpus.home)]
    command += ["--default-artifact-root", (corpus.mlruns / "artifacts").as_uri()]
    command += ["--host", "127.0.0.1", "--port", str(port), "--workers", "1"]
    environment = {**os.environ, "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false"}
    return supervised_child(command, log=corpus.mlruns / "server.log", environment=environment)

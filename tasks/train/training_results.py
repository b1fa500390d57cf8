"""Results of a training run in MLflow: metrics, pictures, and the description of its states."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

from prefect import task
from prefect.cache_policies import NO_CACHE

from songform import plots
from songform.bundle import Bundle
from songform.learning.baselines import BASELINES
from songform.structure.context import CONTEXT_COLUMNS
from tasks.train.heldout_scores import HeldOutScores
from tasks.train.tracking import client
from tasks.train.train_network import read_training

__all__ = ["log_results"]


@task(cache_policy=NO_CACHE)
def log_results(home: Path, run_id: str, folder: Path, heldout: HeldOutScores, seconds: float) -> None:
    """Log the metrics, the pictures and the description of the states of a training run."""
    from mlflow.entities import Metric

    store, bundle, training = client(home), Bundle.load(folder), read_training(folder)
    values = {
        **heldout.metrics,
        "duration_seconds": seconds,
        "sequence_weight": bundle.weight,
        **{f"windows_{part}": float(count) for part, count in training.windows.items()},
    }
    store.log_batch(
        run_id, metrics=[Metric(name, float(value), round(time.time() * 1000), 0) for name, value in values.items()]
    )
    store.log_param(run_id, "start", training.start)
    for name, figure in _figures(bundle, training.history, heldout).items():
        store.log_figure(run_id, figure, f"plots/{name}.png", save_kwargs={"dpi": 150})
    weak = {state: reason for state, reason in zip(bundle.states.states, bundle.states.weak, strict=True) if reason}
    profile = dict(zip(bundle.states.states, bundle.states.profile.round(4).tolist(), strict=True))
    store.log_dict(run_id, {"weak": weak, "profile": profile, "weights": training.tried_weights}, "states.json")


def _figures(bundle: Bundle, history: dict[str, list[float]], heldout: HeldOutScores) -> dict[str, Any]:
    import pandas as pd

    states = bundle.states
    profile = pd.DataFrame(states.profile, index=list(states.states), columns=list(CONTEXT_COLUMNS))
    figures = {
        "training_curves": plots.training_curves(history, title="LSTM"),
        "cluster_profile": plots.cluster_profile(profile, title="Profile of each state"),
    }
    if heldout.confusion:
        figures["confusion_matrix"] = plots.confusion_matrix(
            heldout.confusion, states.states, title="LSTM on the test tracks"
        )
        figures["metrics"] = plots.metric_bars(_scores(heldout.metrics), title="LSTM compared with its baselines")
    return figures


def _scores(metrics: dict[str, float]) -> dict[str, dict[str, float]]:
    who = {"test": "LSTM"} | {name: name for name in BASELINES}
    return {label: {key: metrics[f"{name}_{key}"] for key in ("accuracy", "macro_f1")} for name, label in who.items()}

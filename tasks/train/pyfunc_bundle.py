"""The bundle as `mlflow.pyfunc` loads it: a table of frame features in, a state and a confidence a frame out.

MLflow stores this file beside the bundle and runs it when the model is loaded.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import mlflow
import pandas as pd
from mlflow.pyfunc.model import PythonModel

from songform.bundle import Bundle


class PyfuncBundle(PythonModel):
    """See `songform.bundle.Bundle.predict`."""

    def load_context(self, context: Any) -> None:
        """Read the bundle from the model's artifacts."""
        self.bundle = Bundle.load(Path(context.artifacts["bundle"]))

    def predict(self, context: Any, model_input: pd.DataFrame, params: dict[str, Any] | None = None) -> pd.DataFrame:  # noqa: ARG002
        """Return the state and confidence of each frame."""
        return self.bundle.predict(model_input)


mlflow.models.set_model(PyfuncBundle())

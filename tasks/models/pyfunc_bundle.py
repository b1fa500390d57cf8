"""MLflow pyfunc model of a bundle: predicts the state and confidence of each frame from a table of frame features.

MLflow stores a copy of this file with the bundle, and runs it when the model is loaded.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import mlflow
import pandas as pd
from mlflow.pyfunc.model import PythonModel

from songform.bundle import Bundle


class PyfuncBundle(PythonModel):
    """MLflow wrapper of `songform.bundle.Bundle`."""

    def load_context(self, context: Any) -> None:
        """Load the bundle from the model's artifacts."""
        self.bundle = Bundle.load(Path(context.artifacts["bundle"]))

    def predict(self, context: Any, model_input: pd.DataFrame, params: dict[str, Any] | None = None) -> pd.DataFrame:  # noqa: ARG002
        """Return the state and confidence of each frame; see `songform.bundle.Bundle.predict`."""
        return self.bundle.predict(model_input)


mlflow.models.set_model(PyfuncBundle())

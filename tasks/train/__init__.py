"""One training: plan, states, network, scores, and its run in MLflow."""

"""Training: plan, states, network, scores, and the run in MLflow."""

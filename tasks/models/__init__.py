"""Models of a home: the shipped one, those in MLflow's registry, the champion, and the requested model."""

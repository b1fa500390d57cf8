"""Training and judging networks: windows, splits, baselines and scores."""

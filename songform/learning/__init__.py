"""Windows, networks, baselines, data splits and classification metrics."""

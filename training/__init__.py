"""Training of the networks that are part of the package; run with `make train-beats` and `make train-sections`."""

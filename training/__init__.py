"""Training of the models in the package, by `make pretrained`, `make train-beats` and `make train-sections`."""

"""Study of networks, baselines and adapted models: `make study-models`; docs/models.md contains its results."""

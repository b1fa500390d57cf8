"""Prefect tasks: durable steps that read and write the corpus, built on `songform` and ordered by `flows`."""

"""Ingestion of a SOURCE: listing tracks, downloading audio, extracting features, recording outcomes."""

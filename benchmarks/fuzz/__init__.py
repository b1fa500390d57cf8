"""Fuzz test of the ingest: damaged files of every container that ffmpeg and libsndfile write."""

"""Fetching: a track's audio from a stranger's server, carefully: where from, how fast, how long, and what arrives."""

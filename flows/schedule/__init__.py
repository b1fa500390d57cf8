"""Scheduled ingests, retries and training runs of a home."""

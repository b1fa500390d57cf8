"""Scheduled ingests, retries and trainings of a home."""

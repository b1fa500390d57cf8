"""Scheduled ingests, retries and trainings."""

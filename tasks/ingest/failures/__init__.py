"""Failures of tracks: their causes, their classes, and when they are retried."""

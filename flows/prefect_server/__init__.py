"""Prefect server of a command: finding, starting, sharing and stopping it."""

"""The Prefect server behind a command: finding, starting, sharing and stopping it."""

"""Prefect flows, which run the tasks in order, and the command line (`flows.cli`)."""

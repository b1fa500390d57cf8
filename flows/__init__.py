"""Flows: what happens, in which order. The command line is `flows.cli`."""

"""Sourcing: which tracks a SOURCE holds - an address, a file, a folder, a list - before anything is fetched."""

"""Listing of the tracks in a SOURCE: an address, a file, a folder or a list."""

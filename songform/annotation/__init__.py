"""Annotations of songs: reading, writing and comparing labeled intervals."""

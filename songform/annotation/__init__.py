"""Annotations of songs: reading, writing and comparing labelled intervals."""

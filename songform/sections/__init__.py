"""Sections and phrases of a song: boundaries at bar lines, and letters for parts that return."""

"""Beats and bars of a song: its tatums, their features, and the positions of beats in a bar."""

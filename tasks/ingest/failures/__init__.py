"""Failing: why a track failed, in which class, and when it is asked for again."""

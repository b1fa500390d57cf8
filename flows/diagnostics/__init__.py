"""Checks of `songform doctor`."""

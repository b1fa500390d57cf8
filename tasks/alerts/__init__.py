"""Notifying: which conditions somebody should hear of, and how the word reaches them."""

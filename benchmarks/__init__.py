"""Benchmarks of speed and memory, the study of the states, and the soak test."""

"""Table of segments, and sonification."""

"""Features computed from audio: frame features and the overview."""

"""Audio files as streams of checked, mono samples."""

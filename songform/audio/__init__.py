"""Audio files, decoded and checked as streams of mono samples."""

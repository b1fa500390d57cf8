"""The files of a home: where they are, and how they are written whole."""

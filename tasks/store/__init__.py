"""Files of a home: their paths, their content, and atomic writes."""

"""Tasks: one durable step each. They read and write the corpus; the science is in `songform`, the order in `flows`."""

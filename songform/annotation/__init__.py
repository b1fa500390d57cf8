"""Labels that people give to songs: reading, writing and comparing them."""

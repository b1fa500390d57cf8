"""Musical material of synthetic songs: plans, forms, keys and chords, rhythms, melodies, dynamics and notes."""

"""What a composed song is before it sounds: keys, rhythms, melodies, notes and the plan."""

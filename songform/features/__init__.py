"""What is measured of the sound: frame features and the overview."""

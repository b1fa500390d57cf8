"""songform: the musical form of songs, albums and playlists."""

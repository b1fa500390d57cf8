"""From notes to sound: players, levels and the master."""

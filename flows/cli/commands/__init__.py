"""The commands of `songform`, one module each."""

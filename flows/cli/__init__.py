"""The command line: `songform`."""

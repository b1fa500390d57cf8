"""Settings from files, environment and command line; the environment of the libraries."""

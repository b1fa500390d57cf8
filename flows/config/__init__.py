"""Settings from files, environment and command line, and the environment variables of the libraries."""

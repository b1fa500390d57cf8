"""The commands of songform: one module each, with its options, its text output and its JSON document."""

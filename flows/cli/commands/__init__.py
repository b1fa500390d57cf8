"""Commands of songform: one module per command, with its options, its text output and its JSON document."""

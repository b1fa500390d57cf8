"""The study of the states: how true they are, on composed songs and on songs that people have labelled."""

"""Command line of songform."""

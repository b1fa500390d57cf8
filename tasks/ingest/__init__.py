"""From a SOURCE to feature tables: list, download, extract, record."""

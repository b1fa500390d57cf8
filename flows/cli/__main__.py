"""Entry point of `python -m flows.cli`, which is the same as the installed script `songform`."""

from __future__ import annotations

from flows.cli.main import main

if __name__ == "__main__":
    main()

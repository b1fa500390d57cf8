"""The command `songform schedule`: ingest, retry and train on schedule."""

from __future__ import annotations

from contextlib import suppress

from flows.cli.console import DONE
from flows.cli.context import CommandContext
from flows.cli.options import PrefectPort

__all__ = ["schedule"]


def schedule(context: CommandContext, *, prefect_port: PrefectPort = 4200) -> int:
    """Ingest the playlists of songform.toml, retry failed tracks and train, each on its own schedule, until Ctrl-C."""
    pages = None
    with suppress(KeyboardInterrupt):  # Ctrl-C before the scheduler handles it
        from flows.schedule.scheduler import run_scheduler

        pages = run_scheduler(context.home, context.settings(), prefect_port=prefect_port, say=context.console.say)
    if context.console.json:
        context.console.document({"prefect": pages, "ended": "stopped"})
    return DONE

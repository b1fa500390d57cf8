"""`songform schedule`: keep the playlists of songform.toml ingested."""

from __future__ import annotations

import os

from flows.cli.context import CommandContext
from flows.cli.exit_codes import DONE
from flows.cli.options import PrefectPort

__all__ = ["schedule"]


def schedule(context: CommandContext, *, prefect_port: PrefectPort = 4200) -> int:
    """Keep the playlists of songform.toml ingested, retry what failed, train weekly; until stopped with Ctrl-C."""
    from flows.schedule.scheduler import keep_schedule

    served: list[str] = []

    def say(line: str) -> None:
        # While the scheduler serves, the environment holds the address of its server, for the runs that it starts.
        if api := os.environ.get("PREFECT_API_URL"):
            served.append(api.removesuffix("/api"))
        context.console.say(line)

    keep_schedule(context.home, context.settings(), prefect_port=prefect_port, say=say)
    if context.console.json:
        context.console.document({"prefect": served[-1] if served else None, "ended": "stopped"})
    return DONE

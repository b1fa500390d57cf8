"""The command `songform doctor`: check this machine and the home."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from rich.table import Table

from flows.cli.console import DONE, NOTHING_DONE, Console, cell, counted
from flows.cli.context import CommandContext

if TYPE_CHECKING:
    from flows.diagnostics.check import Check

__all__ = ["doctor", "print_checks"]

_STYLES = {"ok": "green", "warning": "yellow", "failure": "bold red"}


def doctor(context: CommandContext) -> int:
    """Check this machine and the home: programs, packages, settings, corpus, MLflow store, playlists, disk space."""
    from flows.diagnostics.system_checks import examine

    checks = examine(context.home, context.settings)
    print_checks(context.console, checks)
    return DONE if all(check.is_well for check in checks) else NOTHING_DONE


def print_checks(console: Console, checks: Sequence[Check]) -> None:
    """Print the level, name and finding of each check, and how to fix it."""
    if console.json:
        problems = [f"{check.name}: {_finding(check)}" for check in checks if not check.is_well]
        console.document({"checks": [check.document() for check in checks], "problems": problems})
        return
    table = Table(box=None, show_header=False, pad_edge=False)
    table.add_column(no_wrap=True)
    table.add_column(no_wrap=True)
    table.add_column(overflow="fold")
    for check in checks:
        table.add_row(cell(check.level, _STYLES[check.level]), cell(check.name), cell(_finding(check)))
    console.print(table)
    counts = {level: sum(check.level == level for check in checks) for level in ("warning", "failure")}
    found = " and ".join(counted(count, level) for level, count in counts.items() if count)
    console.say(f"{counted(len(checks), 'check')}: {found or 'all ok'}")


def _finding(check: Check) -> str:
    return check.finding + (f"; {check.mend}" if check.mend else "")

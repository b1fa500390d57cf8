"""Whether Prefect will understand a cron expression and a time zone.

Prefect itself takes a second to import and must not be imported before its server is known, so cronsim checks [1]_:
it is stricter than Prefect's reader (an impossible day is no day). The one letter that they read differently is
refused.

References
----------
.. [1] cronsim, an evaluator of Debian's cron expressions: https://github.com/cuu508/cronsim
"""

from __future__ import annotations

import difflib

__all__ = ["cron_problem", "timezone_problem"]

_EXAMPLE = "write minute, hour, day, month and weekday: 0 6 * * * is every day at six"


def cron_problem(expression: str) -> str | None:
    """Return what is wrong with a cron expression of five fields, and what would be right; None if nothing is.

    Examples
    --------
    >>> cron_problem("0 6 * * mon-fri")
    >>> cron_problem("60 6 * * *")
    'bad minute; write minute, hour, day, month and weekday: 0 6 * * * is every day at six'
    """
    from datetime import UTC, datetime

    from cronsim import CronSim, CronSimError

    fields = expression.split()
    if len(fields) != 5:
        return f"five fields are wanted, not {len(fields)}; {_EXAMPLE}"
    if "L" in (fields[2] + fields[4]).upper():
        return f"the letter L is not understood; {_EXAMPLE}"
    try:
        CronSim(expression, datetime(2000, 1, 1, tzinfo=UTC))
    except (CronSimError, ValueError) as error:  # the latter: a number of five thousand digits
        return f"{str(error).lower()}; {_EXAMPLE}"
    return None


def timezone_problem(name: str) -> str | None:
    """Return what is wrong with the name of a time zone, and what would be right; None if nothing is.

    Examples
    --------
    >>> timezone_problem("Europe/Berlin")
    >>> timezone_problem("Europe/Berlln")
    'there is no such time zone; did you mean Europe/Berlin?'
    """
    from zoneinfo import available_timezones

    zones = available_timezones() | {"UTC"}
    if name in zones:
        return None
    close = difflib.get_close_matches(name, sorted(zones), n=1)
    return f"there is no such time zone; {f'did you mean {close[0]}?' if close else 'write one such as Europe/Berlin.'}"

"""Validation of cron expressions and time zones for Prefect.

Prefect takes a second to import and must not be imported before the address of its server is known. Therefore cronsim
[1]_ checks the expressions. It is stricter than Prefect, for example about days that do not exist. The letter L, which
the two interpret differently, is rejected.

References
----------
.. [1] cronsim, an evaluator of Debian's cron expressions: https://github.com/cuu508/cronsim
"""

from __future__ import annotations

import difflib

__all__ = ["cron_problem", "timezone_problem"]

_EXAMPLE = "give minute, hour, day, month and weekday, for example 0 6 * * * for every day at 06:00"


def cron_problem(expression: str) -> str | None:
    """Return what is wrong with a cron expression of five fields and how to fix it, or None if it is valid.

    Examples
    --------
    >>> cron_problem("0 6 * * mon-fri")
    >>> cron_problem("60 6 * * *")
    'bad minute; give minute, hour, day, month and weekday, for example 0 6 * * * for every day at 06:00'
    """
    from datetime import UTC, datetime

    from cronsim import CronSim, CronSimError

    fields = expression.split()
    if len(fields) != 5:
        return f"five fields are needed, not {len(fields)}; {_EXAMPLE}"
    if "L" in (fields[2] + fields[4]).upper():
        return f"the letter L is not supported; {_EXAMPLE}"
    try:
        CronSim(expression, datetime(2000, 1, 1, tzinfo=UTC))
    except (CronSimError, ValueError) as error:  # ValueError: a number with thousands of digits
        return f"{str(error).lower()}; {_EXAMPLE}"
    return None


def timezone_problem(name: str) -> str | None:
    """Return what is wrong with the name of a time zone and how to fix it, or None if it is valid.

    Examples
    --------
    >>> timezone_problem("Europe/Berlin")
    >>> timezone_problem("Europe/Berlln")
    'unknown time zone; did you mean Europe/Berlin?'
    """
    from zoneinfo import available_timezones

    zones = available_timezones() | {"UTC"}
    if name in zones:
        return None
    close = difflib.get_close_matches(name, sorted(zones), n=1)
    return f"unknown time zone; {f'did you mean {close[0]}?' if close else 'give a name such as Europe/Berlin.'}"

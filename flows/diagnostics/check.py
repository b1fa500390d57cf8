"""Result of a check of `songform doctor`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

__all__ = ["Check", "Level"]

Level = Literal["ok", "warning", "failure"]
"""Severity of a finding.

`failure`: some commands cannot work until it is fixed. `warning`: songform works, but its setup should be improved.
"""


@dataclass(frozen=True)
class Check:
    """Result of a check.

    Parameters
    ----------
    name : str
        Name of the check.
    level : str
        `ok`, `warning` or `failure`.
    finding : str
        What was found.
    mend : str
        How to fix it; empty if there is nothing to fix.
    """

    name: str
    level: Level
    finding: str
    mend: str = ""

    @property
    def is_well(self) -> bool:
        """Whether songform can work with what was found."""
        return self.level != "failure"

    def document(self) -> dict[str, Any]:
        """Return the JSON fields of the check."""
        return {
            "name": self.name,
            "level": self.level,
            "is_well": self.is_well,
            "finding": self.finding,
            "mend": self.mend,
        }

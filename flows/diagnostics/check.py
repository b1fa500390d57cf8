"""The result of one check of `songform doctor`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

__all__ = ["Check", "Level"]

Level = Literal["ok", "warning", "failure"]
"""How serious a finding is.

`failure`: some commands cannot do their work until it is fixed. `warning`: songform works, but should be set up better.
"""


@dataclass(frozen=True)
class Check:
    """The result of one check.

    Parameters
    ----------
    name : str
        What was checked.
    level : str
        `ok`, `warning` or `failure`.
    finding : str
        What was found.
    mend : str
        How to fix it, where something should be fixed.
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

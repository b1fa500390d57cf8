"""Git commit: the commit that a run was made with."""

from __future__ import annotations

import subprocess
from pathlib import Path

__all__ = ["git_state"]


def git_state(home: Path) -> dict[str, str]:
    """Return the commit of songform's own checkout and whether it was changed since, as MLflow tags.

    Parameters
    ----------
    home : Path
        Not looked at where songform itself lies in a checkout; else the home's checkout is meant, if it is one.

    Returns
    -------
    dict
        `mlflow.source.git.commit` and `songform.git.dirty`, the latter only if git can tell; empty outside any
        checkout, or without git.
    """
    for folder in (Path(__file__).parent, home):
        commit = _git(folder, "rev-parse", "HEAD")
        if commit:
            changed = _git(folder, "status", "--porcelain", "--untracked-files=no")
            dirty = {} if changed is None else {"songform.git.dirty": str(bool(changed)).lower()}
            return {"mlflow.source.git.commit": commit, **dirty}
    return {}


def _git(folder: Path, *words: str) -> str | None:
    command = ["git", "-C", str(folder), *words]
    try:
        return subprocess.run(  # noqa: S603  git on our own folder, no shell
            command, capture_output=True, text=True, timeout=10, check=True, stdin=subprocess.DEVNULL
        ).stdout.strip()
    except (OSError, subprocess.SubprocessError):
        return None

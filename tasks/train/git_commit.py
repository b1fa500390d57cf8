"""Git commit of the code that produced a run."""

from __future__ import annotations

import subprocess
from pathlib import Path

__all__ = ["git_state"]


def git_state(home: Path) -> dict[str, str]:
    """Return the git commit and whether there are uncommitted changes, as MLflow tags.

    Parameters
    ----------
    home : Path
        Path of the home. Its checkout is used only if songform itself is not in a checkout.

    Returns
    -------
    dict
        `mlflow.source.git.commit`, and `songform.git.dirty` if `git status` succeeds. Empty if neither songform nor the
        home is in a checkout, or git is not installed.
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
        return subprocess.run(  # noqa: S603  a fixed program without a shell
            command, capture_output=True, text=True, timeout=10, check=True, stdin=subprocess.DEVNULL
        ).stdout.strip()
    except (OSError, subprocess.SubprocessError):
        return None

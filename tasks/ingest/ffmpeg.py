"""The ffmpeg that downloads are converted with, and songs are decoded with.

A system's own ffmpeg wins: its owner keeps it up to date, and it knows the machine's codecs. Where there is none, the
wheel of imageio-ffmpeg carries a static one, so that nobody needs root or a package manager. That wheel has no
ffprobe, and nothing here asks for it. (The static build is GPLv3; it is a separate program, fetched by pip.)
"""

from __future__ import annotations

import re
import shutil
import subprocess

from songform.errors import TrackError

__all__ = ["ffmpeg_version", "find_ffmpeg"]


def find_ffmpeg() -> str:
    """Find an ffmpeg to run.

    Returns
    -------
    str
        The path of the system's ffmpeg, or of the one that imageio-ffmpeg carries.

    Raises
    ------
    TrackError
        With the class `environment`, if there is neither.
    """
    system = shutil.which("ffmpeg")
    if system:
        return system
    try:
        from imageio_ffmpeg import get_ffmpeg_exe

        return str(get_ffmpeg_exe())
    except (ImportError, RuntimeError, OSError) as error:
        msg = (
            "no ffmpeg was found, neither on PATH nor in the package imageio-ffmpeg; "
            "install ffmpeg, or run `pip install imageio-ffmpeg`"
        )
        raise TrackError(msg, "environment") from error


def ffmpeg_version(ffmpeg: str) -> str:
    """Return what an ffmpeg calls itself, such as `ffmpeg n9.0.2`, for the provenance of files.

    Raises
    ------
    TrackError
        With the class `environment`, if the program does not run, or is something else.
    """
    try:
        banner = subprocess.run(  # noqa: S603  the program that the user runs ffmpeg with, no shell, no strangers' words
            [ffmpeg, "-version"], stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=60, check=True
        ).stdout
    except (OSError, subprocess.SubprocessError) as error:
        msg = f"{ffmpeg} cannot be run ({error}); install ffmpeg anew, or run `pip install imageio-ffmpeg`"
        raise TrackError(msg, "environment") from error
    found = re.match(r"ffmpeg version (\S+)", banner)
    if found is None:
        msg = f"{ffmpeg} does not answer as ffmpeg does; install ffmpeg, or run `pip install imageio-ffmpeg`"
        raise TrackError(msg, "environment")
    return f"ffmpeg {found[1]}"

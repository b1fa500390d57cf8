"""Search for the ffmpeg executable that converts downloads and decodes songs.

The ffmpeg of the system is preferred, because it is kept up to date and supports the codecs of the machine. Otherwise
the static build from the package imageio-ffmpeg is used, which needs neither root nor a system package manager. That
package has no ffprobe, so ffprobe is not used. (The static build is GPLv3; it is a separate program, installed by pip.)
"""

from __future__ import annotations

import re
import shutil
import subprocess

from songform.errors import FFMPEG_NOT_GIVEN, AudioError, TrackError

__all__ = ["error_without_ffmpeg", "ffmpeg_version", "find_ffmpeg"]

NOT_FOUND = "it was not found; install the Python package imageio-ffmpeg, or ffmpeg itself"


def find_ffmpeg() -> str:
    """Find an ffmpeg executable.

    Returns
    -------
    str
        Path of the system's ffmpeg or, if there is none, of the one in imageio-ffmpeg.

    Raises
    ------
    TrackError
        With the class `environment`, if neither is found.
    """
    system = shutil.which("ffmpeg")
    if system:
        return system
    try:
        from imageio_ffmpeg import get_ffmpeg_exe

        return str(get_ffmpeg_exe())
    except (ImportError, RuntimeError, OSError) as error:
        msg = (
            "ffmpeg was found neither on PATH nor in the package imageio-ffmpeg; "
            "install ffmpeg, or run `pip install imageio-ffmpeg`"
        )
        raise TrackError(msg, "environment") from error


def error_without_ffmpeg(error: AudioError) -> AudioError:
    """Return an error that says that ffmpeg was not found, if it says that its path was not given.

    Parameters
    ----------
    error : AudioError
        Error of `songform.audio`, which does not search for ffmpeg.
    """
    if FFMPEG_NOT_GIVEN not in str(error):
        return error
    return AudioError(str(error).replace(FFMPEG_NOT_GIVEN, NOT_FOUND), "environment")


def ffmpeg_version(ffmpeg: str) -> str:
    """Return the name and version of an ffmpeg executable, such as `ffmpeg n9.0.2`.

    Raises
    ------
    TrackError
        With the class `environment`, if the program cannot be run or is not ffmpeg.
    """
    try:
        banner = subprocess.run(  # noqa: S603  the user's own ffmpeg, without a shell and without untrusted arguments
            [ffmpeg, "-version"], stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=60, check=True
        ).stdout
    except (OSError, subprocess.SubprocessError) as error:
        msg = f"{ffmpeg} cannot be run ({error}); reinstall ffmpeg, or run `pip install imageio-ffmpeg`"
        raise TrackError(msg, "environment") from error
    found = re.match(r"ffmpeg version (\S+)", banner)
    if found is None:
        msg = f"{ffmpeg} does not seem to be ffmpeg; install ffmpeg, or run `pip install imageio-ffmpeg`"
        raise TrackError(msg, "environment")
    return f"ffmpeg {found[1]}"

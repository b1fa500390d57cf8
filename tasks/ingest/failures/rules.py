"""The tables of reasons: what statuses and words mean for a track; `tasks.ingest.failures.classify` looks them up.

Each row of words names where they come from, in yt-dlp 2026.10.26 unless a site is named.
"""

from __future__ import annotations

from typing import NamedTuple

from songform.errors import FailureClass

__all__ = [
    "ACCESS",
    "AGAIN",
    "BODY_TEXTS",
    "BODY_WORDS",
    "DAMAGED",
    "ELSEWHERE",
    "FAILING",
    "NO_ADDRESS",
    "NO_AUDIO",
    "NO_ROOM",
    "NO_URL",
    "OPEN_IT",
    "OTHER_COPY",
    "REFUSED",
    "SITE_WORDS",
    "SOON",
    "STATUSES",
    "UNITS",
    "UPGRADE",
    "WHAT_HELPS",
    "Explanation",
    "Words",
]

AGAIN = "try again later"
OTHER_COPY = "take it out of the source, or find another copy of it"
ACCESS = "set download.cookies to a cookies.txt exported from a browser that is logged in there, or leave it out"
ELSEWHERE = "it can only be had from another country"
OPEN_IT = "open it in a browser; if only a login helps there, set download.cookies to a cookies.txt exported from it"
SLOWER = "it is left alone for a while, and then asked again"
NO_ROOM = "free some space, mend the folder's permissions, or choose another --home"
UPGRADE = "upgrade it with `pip install -U yt-dlp yt-dlp-ejs`, which follows such changes within days"

WHAT_HELPS: dict[FailureClass, str] = {
    "transient": "nothing to do: it is tried again by itself, at longer and longer intervals, at most a day",
    "throttled": "nothing to do: the site is left alone until its pause is over; fewer downloads at once help "
    "(download.host_workers, download.host_seconds), and cookies of an account against checks for robots",
    "permanent": "take it out of the source, correct its address, or put a whole copy in the place of a damaged file; "
    "`songform ingest --retry-failed` asks once more",
    "needs-you": f"{OPEN_IT}, then `songform ingest --retry-failed`; what is withheld in your country stays away",
    "later": "nothing to do: it is asked for again when it should have been published",
    "environment": "mend this machine (`songform doctor` says what is wrong), then ingest again",
    "bug": "upgrade yt-dlp with `pip install -U yt-dlp yt-dlp-ejs`; what still fails then is worth a report",
}


class Explanation(NamedTuple):
    """What an error means for a track: its class, and the two halves of a sentence for people.

    The last three are as for `songform.errors.TrackError`.
    """

    failure: FailureClass
    cause: str
    mend: str
    retry_after: float | None = None
    robot: bool = False
    repeated: FailureClass | None = None


class Words(NamedTuple):
    """What sites say, as a regular expression, and what it means."""

    pattern: str
    failure: FailureClass
    mend: str
    robot: bool = False


# How the downloader says that it gives up: downloader/{http,fragment,common}.py and YoutubeDL.py.
BODY_TEXTS = (
    r"\[download\] Got error|Did not get any data|content too short|Giving up after|fragment \d+ not found|"
    r"unable to (write|open for writing)|Unable to (create|rename)|No suitable extractor"
)
BODY_WORDS: tuple[tuple[str, Explanation], ...] = (
    (
        r"unable to (write|open for writing)|Unable to (create|rename)|No space left|Disk quota",
        Explanation("environment", "this machine refuses ({text})", NO_ROOM),
    ),
    (
        r"No suitable extractor",
        Explanation("permanent", "no extractor of yt-dlp takes this address", "check the address"),
    ),
    (r"HTTP Error 5\d\d", Explanation("transient", "the server fails while sending it ({text})", AGAIN)),
    (r"more expected|content too short", Explanation("transient", "the connection breaks off before its end", AGAIN)),
    (r"timed out", Explanation("transient", "the server falls silent while sending it", AGAIN)),
    (r"Did not get any data", Explanation("transient", "the server sends an empty file", AGAIN)),
    (r"", Explanation("transient", "the connection breaks off ({text})", AGAIN)),
)

# A page that calls itself audio ends with its reason; a broken file stays broken.
NO_AUDIO = Explanation("transient", "what the server sent is no audio, perhaps an error page", AGAIN)
DAMAGED = Explanation("transient", "what the server sent is no audio that ffmpeg knows", AGAIN, repeated="permanent")

# What sites say through extractors. The first match wins: "blocked in your country on copyright grounds" is about the
# country, "Private video. Sign in ..." about access, "Sign in to confirm you're not a bot" about neither.
SITE_WORDS: tuple[Words, ...] = (
    Words(  # youtube/_video.py: reasons of the player, captcha, "has been rate-limited by YouTube for up to an hour"
        r"not a (ro)?bot|captcha|rate.?limited by YouTube|IP is likely being blocked|unusual traffic",
        "throttled",
        SLOWER,
        robot=True,
    ),
    # bilibili.py, damtomo.py, instagram.py, soundcloud.py
    Words(r"rate.?limit|too many requests", "throttled", SLOWER),
    Words(  # YouTube: "Premieres in 3 hours", "This live event will begin in ..."; Twitch and others: "is offline"
        r"\bpremier(e|es|ing)\b|will begin|not yet started|has not started|\bupcoming\b|is (currently )?offline",
        "later",
        "ingest it again when it is over",
    ),
    Words(  # extractor/common.py: raise_geo_restricted; YouTube: "who has blocked it in your country on ..."
        r"geo.?restrict|(in|from|for) your (country|location|region)", "needs-you", ELSEWHERE
    ),
    Words(r"confirm your age|age.?restrict|inappropriate for some", "needs-you", ACCESS),  # YouTube
    # extractor/common.py: raise_login_required; YouTube: private, for members, paid.
    Words(r"\bprivate\b|members?.only|channel's members|join this channel|granted (you )?access", "needs-you", ACCESS),
    Words(r"\b(log(ged)?|sign(ed)?).?in\b|registered users|password|authentication", "needs-you", ACCESS),
    Words(r"\bsubscri(be|ber|bers|ption)\b|\bpremium\b|\bpurchased?\b|requires payment", "needs-you", ACCESS),
    Words(r"\bDRM\b", "permanent", OTHER_COPY),  # extractor/common.py: report_drm
    # YouTube: "The page needs to be reloaded"; and what any site says of a bad day.
    Words(r"try again|temporar(y|ily)|needs to be reloaded|internal (server )?error", "transient", AGAIN),
    Words(  # YoutubeDL.py; on YouTube it mostly means that no JavaScript runtime was found (yt-dlp's wiki, page EJS)
        r"requested format is not available",
        "environment",
        "`songform doctor` says whether yt-dlp finds the JavaScript runtime that it needs",
    ),
)
# urllib.parse: an address that cannot be taken apart. encodings.idna: a host with an empty part, or an endless one.
NO_ADDRESS = r"Invalid IPv6 URL|NFKC normalization|^Port (could not|out of)|'idna' codec"
NO_URL = "is not a valid URL"  # generic.py
# "Premieres in 3 hours", "will begin in 5 days": seconds of each unit.
SOON = r"\bin (\d+|an?) (minute|hour|day)s?\b"
UNITS = {"minute": 60.0, "hour": 3600.0, "day": 86400.0}

STATUSES: dict[int, Explanation] = {
    401: Explanation("needs-you", "it asks for a login", ACCESS),
    402: Explanation("needs-you", "it wants to be paid", ACCESS),
    # Mostly an address that expired, which another attempt reads anew; else it is about this machine, or about a login.
    403: Explanation("transient", "it refuses access from here", OPEN_IT, repeated="needs-you"),
    404: Explanation("permanent", "it was removed, or the address is mistyped", "check the address"),
    407: Explanation("needs-you", "the proxy asks for a login", "check the proxy in the environment (https_proxy)"),
    408: Explanation("transient", "the server lost patience", AGAIN),
    410: Explanation("permanent", "it was removed for good", OTHER_COPY),
    416: Explanation("transient", "the file changed while it was fetched", AGAIN),
    425: Explanation("transient", "the server wants to be asked again", AGAIN),
    429: Explanation("throttled", "too many requests came from here", SLOWER),
    451: Explanation("needs-you", "it is withheld here for legal reasons", ELSEWHERE),
}
REFUSED = Explanation("permanent", "it refuses the request", "check the address")  # any other 4xx
FAILING = Explanation("transient", "a failure of its own", AGAIN)  # any 5xx
